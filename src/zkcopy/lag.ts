/** How long changes took from being told by the source to being confirmed by the target, in ms. */
export type LagReport = { lastMs: number; p50Ms: number; p99Ms: number; maxMs: number }

/** Times that are kept for the quantiles; the highest is of all. */
const KEPT = 10_000

export const newLag = () => {
  const kept: number[] = []
  let [count, lastMs, maxMs] = [0, 0, 0]
  return {
    add: (ms: number): void => {
      kept[count++ % KEPT] = ms
      lastMs = ms
      maxMs = Math.max(maxMs, ms)
    },
    get lastMs() {
      return lastMs
    },
    report: (): LagReport | null => {
      if (count === 0) return null
      const sorted = kept.toSorted((a, b) => a - b)
      const at = (q: number): number => sorted[Math.floor((sorted.length - 1) * q)] ?? 0
      return { lastMs: tenth(lastMs), p50Ms: tenth(at(0.5)), p99Ms: tenth(at(0.99)), maxMs: tenth(maxMs) }
    },
  }
}
export type Lag = ReturnType<typeof newLag>

const tenth = (ms: number): number => Math.round(ms * 10) / 10
