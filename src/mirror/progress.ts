import type { MirrorEvent, MirrorProgress } from './events.ts'
import type { Lane } from './lane.ts'

/** Tells where the lanes stand, at even intervals, until disposed. */
export const meter = (
  lanes: readonly Lane[],
  { on, everyMs }: { on(event: MirrorEvent): void; everyMs: number },
): Disposable => {
  let last = { at: performance.now(), records: 0n, bytes: 0n }
  const timer = setInterval(() => {
    const at = performance.now()
    const now = standing(lanes)
    const seconds = (at - last.at) / 1000
    on({
      ...now,
      recordRate: Number(now.records - last.records) / seconds,
      byteRate: Number(now.bytes - last.bytes) / seconds,
    })
    last = { at, records: now.records, bytes: now.bytes }
  }, everyMs)
  return { [Symbol.dispose]: () => clearInterval(timer) }
}

const standing = (lanes: readonly Lane[]): MirrorProgress => {
  const now: MirrorProgress = {
    kind: 'progress',
    partitions: { total: lanes.length, caughtUp: 0, stopped: 0 },
    records: 0n,
    bytes: 0n,
    recordRate: 0,
    byteRate: 0,
    lag: 0n,
    worst: undefined,
    padding: 0n,
  }
  for (const lane of lanes) {
    now.records += lane.counts.records
    now.bytes += lane.counts.bytes
    if (lane.acked < lane.start) now.padding += lane.start - lane.acked
    if (lane.stopped) {
      now.partitions.stopped++
      continue
    }
    const { lag } = lane
    if (lag === undefined) continue
    now.lag += lag
    if (lag <= 0n) now.partitions.caughtUp++
    else if (lag > (now.worst?.lag ?? 0n)) now.worst = { where: lane.where, lag }
  }
  return now
}
