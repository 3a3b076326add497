import type { Brakes } from './brakes.ts'
import type { MirrorEvent, MirrorProgress } from './events.ts'
import type { Lane } from './lane.ts'
import { Rates } from './rates.ts'

const PROGRESS_MS = 250

/** Tells where the lanes stand, at even intervals, until disposed. `now` may be asked in between. */
export type Meter = Disposable & { readonly now: MirrorProgress }

export const meter = (
  lanes: readonly Lane[],
  brakes: Brakes,
  { on, everyMs = PROGRESS_MS }: { on?: ((event: MirrorEvent) => void) | undefined; everyMs?: number },
): Meter => {
  const rates = new Rates()
  const look = (): MirrorProgress => {
    const at = performance.now()
    const now = standing(lanes)
    rates.add({ at, records: now.records, bytes: now.bytes, lag: now.lag })
    return { ...now, ...rates.now, throttle: brakes.reason }
  }
  let now = look()
  const timer = setInterval(() => {
    now = look()
    on?.(now)
  }, everyMs)
  return {
    get now() {
      return now
    },
    [Symbol.dispose]: () => clearInterval(timer),
  }
}

/** How far a lane is behind. Bytes are estimated by what its records were like so far. */
export type LaneLag = { records: bigint; open: bigint; bytes: bigint; ms: number }

export const lagOf = (lane: Lane): LaneLag | undefined => {
  const { sourceEnd, sourceStable = sourceEnd, acked, counts, times } = lane
  if (sourceEnd === undefined || sourceStable === undefined) return undefined
  const records = sourceStable > acked ? sourceStable - acked : 0n
  const bytes = counts.records > 0n ? (records * counts.bytes) / counts.records : 0n
  const ms = records > 0n && times.record !== undefined ? Math.max(0, Date.now() - times.record) : 0
  return { records, open: sourceEnd - sourceStable, bytes, ms }
}

const standing = (lanes: readonly Lane[]): MirrorProgress => {
  const now: MirrorProgress = {
    kind: 'progress',
    partitions: { total: lanes.length, caughtUp: 0, stopped: 0, waiting: 0 },
    records: 0n,
    bytes: 0n,
    recordRate: 0,
    byteRate: 0,
    etaMs: undefined,
    lag: 0n,
    lagBytes: 0n,
    lagMs: 0,
    open: 0n,
    worst: undefined,
    padding: 0n,
    throttle: undefined,
  }
  for (const lane of lanes) {
    now.records += lane.counts.records
    now.bytes += lane.counts.bytes
    if (lane.stopped) {
      now.partitions.stopped++
      continue
    }
    if (lane.acked < lane.start) now.padding += lane.start - lane.acked
    const lag = lagOf(lane)
    if (lag === undefined) {
      now.partitions.waiting++
      continue
    }
    now.lag += lag.records
    now.lagBytes += lag.bytes
    now.lagMs = Math.max(now.lagMs, lag.ms)
    now.open += lag.open
    if (lag.records === 0n) now.partitions.caughtUp++
    else if (lag.records > (now.worst?.lag ?? 0n)) now.worst = { where: lane.where, lag: lag.records }
  }
  return now
}
