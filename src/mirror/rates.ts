/** What is counted, as it stands at one moment. */
export type Standing = { at: number; records: bigint; bytes: bigint; lag: bigint }

/** Rates are of the last so many ms: shorter ones jump, longer ones are of the past. */
const WINDOW_MS = 10_000
const STEP_MS = 250

/** Rates over the last seconds, and when the lag will be gone if it goes on shrinking as it did. */
export class Rates {
  #samples: Standing[] = []

  add(now: Standing): void {
    const last = this.#samples.at(-1)
    const before = this.#samples.at(-2)
    if (last && before && last.at - before.at < STEP_MS) this.#samples.pop()
    this.#samples.push(now)
    const from = this.#samples.findLastIndex(({ at }) => now.at - at >= WINDOW_MS)
    if (from > 0) this.#samples.splice(0, from)
  }

  get now(): { recordRate: number; byteRate: number; etaMs: number | undefined } {
    const [first, last] = [this.#samples[0], this.#samples.at(-1)]
    const seconds = first && last ? (last.at - first.at) / 1_000 : 0
    if (!first || !last || seconds <= 0) return { recordRate: 0, byteRate: 0, etaMs: undefined }
    const per = (of: 'records' | 'bytes') => Math.max(0, Number(last[of] - first[of]) / seconds)
    const shrinks = Number(first.lag - last.lag) / seconds
    const etaMs = last.lag > 0n && shrinks > 0 ? Math.round((Number(last.lag) / shrinks) * 1_000) : undefined
    return { recordRate: per('records'), byteRate: per('bytes'), etaMs }
  }
}
