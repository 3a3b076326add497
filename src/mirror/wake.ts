/** Lets a loop sleep until somebody has work for it. A call that comes while nobody sleeps is kept. */
export class Wake {
  readonly #signal: AbortSignal
  #rung = false
  #ring: (() => void) | undefined

  constructor(signal: AbortSignal) {
    this.#signal = signal
    signal.addEventListener('abort', () => this.ring(), { once: true })
  }

  ring(): void {
    this.#rung = true
    this.#ring?.()
  }

  /** Resolves at the next ring, or at once when one was missed or the signal is aborted. */
  async wait(): Promise<void> {
    if (!this.#rung && !this.#signal.aborted) await new Promise<void>(resolve => (this.#ring = resolve))
    this.#ring = undefined
    this.#rung = false
  }
}
