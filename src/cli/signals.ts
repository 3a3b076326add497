/** Exit codes of the signals that end work cleanly. */
export const SIGNAL_EXIT = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const
export type StopSignal = keyof typeof SIGNAL_EXIT

/**
 * One press of ^C can come several times: the terminal sends it to the whole group, and npm or an older Node in front
 * of kmig hands it on. What follows within this many ms is the same one.
 */
const SAME_PRESS_MS = 300

/** Aborts its signal at the first SIGINT, SIGTERM or SIGHUP; a second one ends the process at once. */
export class Interrupt implements Disposable {
  readonly #controller = new AbortController()
  readonly #listeners = new Map<StopSignal, () => void>()
  #by: { name: StopSignal; at: number } | undefined
  constructor(tell: (text: string) => void) {
    for (const name of Object.keys(SIGNAL_EXIT) as StopSignal[]) {
      const listener = () => this.#heard(name, tell)
      this.#listeners.set(name, listener)
      process.on(name, listener)
    }
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /** The signal that stopped the work, if one did. */
  get by(): StopSignal | undefined {
    return this.#by?.name
  }

  #heard(name: StopSignal, tell: (text: string) => void): void {
    const at = performance.now()
    if (this.#by) {
      if (at - this.#by.at > SAME_PRESS_MS) process.exit(SIGNAL_EXIT[name])
      return
    }
    this.#by = { name, at }
    tell(`${name}: ending the work cleanly; once more ends it at once`)
    this.#controller.abort(new DOMException(`stopped by ${name}`, 'AbortError'))
  }

  [Symbol.dispose](): void {
    for (const [name, listener] of this.#listeners) process.off(name, listener)
  }
}
