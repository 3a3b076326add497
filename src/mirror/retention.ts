import { type Cluster, EARLIEST } from '../kafka/index.ts'
import { type During, formatCount, formatDuration } from '../kit/index.ts'
import type { MirrorEvent } from './events.ts'
import type { Lane } from './lane.ts'

/** Where the source's log began and where the copy stood, at one moment. */
export type Sample = { at: number; start: bigint; position: bigint }
/** `startRate`, `copyRate`: offsets a second. */
export type Forecast = { etaMs: number; startRate: number; copyRate: number }

/** A log start moves by whole segments every few minutes: speeds are of this long. */
const WINDOW_MS = 15 * 60_000
/** What lies further ahead is not told. */
const TELL_MS = 4 * 3_600_000

/** When the source deletes what the copy has not read yet, if both move on as they did; undefined: not if they do. */
export const forecast = (samples: readonly Sample[]): Forecast | undefined => {
  const [first, last] = [samples[0], samples.at(-1)]
  if (!first || !last || last.at <= first.at || last.start <= first.start) return undefined
  const seconds = (last.at - first.at) / 1_000
  const startRate = Number(last.start - first.start) / seconds
  const copyRate = Number(last.position - first.position) / seconds
  const left = Number(last.position - last.start)
  if (startRate <= copyRate) return undefined
  return { etaMs: Math.max(0, (left / (startRate - copyRate)) * 1_000), startRate, copyRate }
}

export type RetentionOptions = During<MirrorEvent> & { source: Cluster; lanes: readonly Lane[] }

/** Watches how retention on the source comes nearer to partitions that lag, and warns before it passes them. Source: F17. */
export class RetentionWatch {
  readonly #o: RetentionOptions
  readonly #samples = new Map<Lane, Sample[]>()
  /** What was told last; told again at half of it. */
  readonly #told = new Map<Lane, number>()
  constructor(options: RetentionOptions) {
    this.#o = options
  }

  async look(): Promise<void> {
    const { source, lanes, signal } = this.#o
    const behind = lanes.filter(
      ({ stopped, sourceEnd, acked, start }) =>
        !stopped && sourceEnd !== undefined && acked < sourceEnd && acked >= start,
    )
    for (const lane of [...this.#samples.keys()]) if (!behind.includes(lane)) this.#forget(lane)
    if (behind.length === 0) return
    const starts = await source.listOffsets(
      behind.map(({ topic, partition }) => ({ topic, partition, timestamp: EARLIEST })),
      { signal, timeoutMs: 5_000, withinMs: 0, refused: () => {} },
    )
    const at = performance.now()
    for (const lane of behind) {
      const start = starts.get(lane.where)?.offset
      if (start === undefined) continue
      const known = this.#samples.get(lane) ?? []
      const samples = [...known.filter(each => at - each.at < WINDOW_MS), { at, start, position: lane.acked }]
      this.#samples.set(lane, samples)
      this.#tell(lane, forecast(samples), start)
    }
  }

  #forget(lane: Lane): void {
    this.#samples.delete(lane)
    this.#told.delete(lane)
  }

  #tell(lane: Lane, found: Forecast | undefined, start: bigint): void {
    if (!found || found.etaMs > TELL_MS) return
    if (found.etaMs > (this.#told.get(lane) ?? Number.POSITIVE_INFINITY) / 2) return
    this.#told.set(lane, found.etaMs)
    const perSecond = (rate: number) => `${formatCount(Math.round(rate))} offsets/s`
    const text = `source retention passes the mirror in ${formatDuration(found.etaMs)}: the log begins at ${start} and moves up by ${perSecond(found.startRate)}, the copy stands at ${lane.acked} and moves by ${perSecond(found.copyRate)}; raise retention.ms and retention.bytes of the topic on the source, or copy faster (--max-rate, quotas)`
    this.#o.on?.({ kind: 'warning', where: lane.where, text })
  }
}
