import type { Cluster } from '../kafka/index.ts'
import { type During, KmigError, Offset, sleep } from '../kit/index.ts'
import type { Lane } from './lane.ts'
import { logEndsOf } from './log-ends.ts'
import type { Drained, DrainPoint } from './reverse-shape.ts'

const AGAIN_MS = 100
/** How long the old cluster may take to have the last records on all replicas. */
const WITHIN_MS = 30_000

export type DrainOptions = During & {
  /** The old cluster. */
  target: Cluster
  lanes: readonly Lane[]
  /** R: where the new cluster's logs end under its fence. */
  ends: ReadonlyMap<string, bigint>
  /** Names what is not on the old cluster, where it would else throw. */
  lossy?: boolean | undefined
  /** Resolves when every lane that goes on is so far. */
  reached(): Promise<void>
}

/** Whether what was acknowledged before a partition stopped is still there: not where the old cluster lost records. */
const keepsAcked = (stopped: KmigError | undefined): boolean => stopped?.code === 'FOREIGN_WRITE'
const isShort = ({ stopped, acked }: Lane, end: bigint): boolean =>
  stopped !== undefined && (acked < end || !keepsAcked(stopped))

/**
 * Waits until the old cluster has what the new one had at R, on all replicas in sync, and nothing beyond it. Throws what
 * stopped a partition before it was there, TIMEOUT.
 */
export const drained = async (o: DrainOptions): Promise<Drained> => {
  const { target, lanes, ends, lossy, reached, signal } = o
  const asked = lanes.filter(({ where }) => ends.has(where))
  const unknown = [...ends.keys()].find(where => !asked.some(lane => lane.where === where))
  if (unknown !== undefined)
    throw new KmigError('PREFLIGHT', `${unknown} was not armed: nothing of it is taken back`)
  const short = () => asked.filter(lane => isShort(lane, ends.get(lane.where) ?? 0n))
  const refuse = () => {
    const first = short()[0]?.stopped
    if (first && !lossy) throw first
  }
  refuse()
  await reached()
  const started = performance.now()
  for (;;) {
    refuse()
    const going = asked.filter(lane => !lane.stopped)
    const found = await logEndsOf(
      target,
      going.map(({ where }) => where),
      { signal },
    )
    const open = going.filter(lane => {
      const end = found.get(lane.where)
      const there = end?.leo === end?.high && end?.leo === lane.place.target
      return !lane.stopped && !(there && lane.sure)
    })
    if (open.length === 0) break
    if (performance.now() - started > WITHIN_MS) {
      const [lane] = open
      const end = lane && found.get(lane.where)
      const what = `${lane?.where} on the old cluster ends at ${end?.leo} (${end?.high} on all replicas), ${lane?.place.target} was written`
      throw new KmigError('TIMEOUT', what)
    }
    await sleep(AGAIN_MS, signal)
  }
  refuse()
  const points = new Map<string, DrainPoint>(
    asked.map(({ where, place }) => [where, { next: Offset(ends.get(where) ?? 0n), old: place.target }]),
  )
  const missing = short().map(({ where, acked, ground, stopped }) => {
    const from = keepsAcked(stopped) ? acked : (ground?.source ?? acked)
    return { where, from, to: Offset(ends.get(where) ?? 0n), why: stopped?.message ?? '' }
  })
  return { points, missing }
}
