import { setImmediate as turn } from 'node:timers/promises'

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

  /**
   * Resolves at the next ring, or when one was missed or the signal is aborted; always after a turn of the event loop:
   * work that comes to nothing and rings must not keep timers, answers and signals out for ever.
   */
  async wait(): Promise<void> {
    if (!this.#rung && !this.#signal.aborted) await new Promise<void>(resolve => (this.#ring = resolve))
    this.#ring = undefined
    await turn()
    this.#rung = false
  }
}
