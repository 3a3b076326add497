import type { VerifyEvent } from './events.ts'
import type { Pace } from './pace.ts'

const EVERY_MS = 250

export type Meter = Disposable & {
  /** A partition is begun: tell how far it is, then that it is done. */
  begin(): { to(offsets: bigint): void; end(offsets: bigint): void }
  differs(): void
}

/** Tells how far a run is, until disposed. */
export const meter = (
  lengths: readonly bigint[],
  { pace, on }: { pace: Pace; on: ((event: VerifyEvent) => void) | undefined },
): Meter => {
  const total = lengths.reduce((sum, n) => sum + n, 0n)
  const started = performance.now()
  let last = { at: started, bytes: 0 }
  let [done, offsets, differences] = [0, 0n, 0n]
  const timer = setInterval(() => {
    const at = performance.now()
    const byteRate = ((pace.bytes - last.bytes) * 1_000) / Math.max(1, at - last.at)
    last = { at, bytes: pace.bytes }
    const left = Number(total - offsets)
    const etaMs = offsets > 0n && left > 0 ? ((at - started) * left) / Number(offsets) : undefined
    const partitions = { total: lengths.length, done }
    on?.({
      kind: 'progress',
      partitions,
      offsets: { done: offsets, total },
      bytes: pace.bytes,
      byteRate,
      etaMs,
      differences,
    })
  }, EVERY_MS)
  return {
    begin() {
      let seen = 0n
      const to = (now: bigint) => {
        if (now <= seen) return
        offsets += now - seen
        seen = now
      }
      return {
        to,
        end(all) {
          to(all)
          done++
        },
      }
    },
    differs() {
      differences++
    },
    [Symbol.dispose]: () => clearInterval(timer),
  }
}
