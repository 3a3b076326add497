import type { ProducerState } from '../../kafka/index.ts'
import { KmigError } from '../../kit/index.ts'
import type { Answered, FenceProof, ProveOptions } from '../fence-port.ts'
import type { ClockPort, Ends } from '../ports.ts'
import { grown, leosOf } from '../still.ts'
import { type Found, growthText, rateText, refuseShrunk, stillWritten } from './growth.ts'
import { knownProducers, movedSequences, movedText } from './producers.ts'
import type { FenceSight, Seen } from './sight.ts'
import { concerning, transactionText } from './transactions.ts'

const LOOK_MS = 500
/** How long after the window transactions may end and followers catch up. */
const SETTLE_MS = 30_000
/** Grown partitions that are read at a time to see who wrote. */
const READ_AT_ONCE = 20
/** Growth that no consumer may read yet is looked at again so often before it counts as data. */
const READ_TRIES = 5
const SHOWN = 5

type Producers = Seen<ReadonlyMap<string, readonly ProducerState[]>>
/** How log ends moved, where nobody wrote data. */
type Moved = 'nothing' | 'markers' | 'unread'
export type FenceProved = { ends: Map<string, bigint>; proof: FenceProof }

/**
 * Proves that nobody writes: every log end stands still for the window, by OffsetForLeaderEpoch and with nothing behind it
 * that consumers may not read; no sequence of a producer moves; no transaction is open. Growth by data: STILL_WRITTEN with
 * partition, delta, rate and producers. Growth by ends of transactions alone begins the window anew. PREFLIGHT where it
 * does not settle. Source: CUTOVER.md 5.
 */
export const proveFence = async (
  sight: FenceSight,
  clock: ClockPort,
  options: ProveOptions & { settleMs?: number | undefined },
): Promise<FenceProved> => {
  const { settleMs = SETTLE_MS } = options
  const beganMs = clock.now()
  const [before, first] = await Promise.all([sight.producers(), sight.ends()])
  let window = { sinceMs: clock.now(), fromMs: clock.wall(), base: leosOf(first) }
  let tries = 0
  const look = async (from: ReadonlyMap<string, bigint>, now: Ends, ms: number): Promise<Moved> => {
    const growth = grown(from, leosOf(now))
    refuseShrunk(growth)
    const found = await whoWrote(sight, growth)
    const data = found.filter(({ written }) => written.data.size > 0)
    const unread = found.filter(({ written }) => written.unread > 0n)
    tries = unread.length > 0 ? tries + 1 : 0
    if (data.length > 0 || tries >= READ_TRIES)
      throw await writtenBy(sight, data.length > 0 ? data : unread, ms, clock)
    return growth.length === 0 ? 'nothing' : tries > 0 ? 'unread' : 'markers'
  }
  if (options.since) await look(options.since, first, 0)
  for (let sweeps = 2; ; sweeps++) {
    const left = options.windowMs - (clock.now() - window.sinceMs)
    await clock.sleep(Math.max(20, Math.min(LOOK_MS, left)))
    const askedMs = clock.now()
    const now = await sight.ends()
    const moved = await look(window.base, now, askedMs - window.sinceMs)
    if (moved !== 'nothing') {
      // what can't be read yet is read once more from the same offset on
      const base = moved === 'unread' ? window.base : leosOf(now)
      window = { sinceMs: clock.now(), fromMs: clock.wall(), base }
    } else if (askedMs - window.sinceMs >= options.windowMs && behindOf(now).length === 0) {
      const settled = await settledProof(sight, { window, before, sweeps, clock, options })
      if (settled) return settled
    }
    if (clock.now() - beganMs >= options.windowMs + settleMs) throw await unsettled(sight, now, clock)
  }
}

const behindOf = (ends: Ends): string[] =>
  [...ends].filter(([, { leo, stable }]) => leo !== stable).map(([where]) => where)

const whoWrote = async (
  sight: FenceSight,
  growth: readonly { where: string; from: bigint; to: bigint }[],
): Promise<Found[]> => {
  const found: Found[] = []
  for (let at = 0; at < growth.length; at += READ_AT_ONCE) {
    const share = growth.slice(at, at + READ_AT_ONCE)
    const seen = await Promise.all(share.map(async each => ({ ...each, written: await sight.written(each) })))
    found.push(...seen)
    // one that was written to is enough; the others are told by their ends alone
    if (seen.some(({ written }) => written.data.size > 0)) break
  }
  return found
}

const writtenBy = async (
  sight: FenceSight,
  found: readonly Found[],
  ms: number,
  clock: ClockPort,
): Promise<KmigError> => {
  const known = await sight.producers().catch((): Producers => ({ kind: 'unseen', why: '' }))
  const text = growthText(found, known.kind === 'seen' ? known.value : undefined, clock.wall())
  return stillWritten(`log ends do not stand still${rateText(found, ms)}: ${text}`)
}

type Settling = {
  window: { fromMs: number; base: Map<string, bigint> }
  before: Producers
  sweeps: number
  clock: ClockPort
  options: ProveOptions
}

/** The rest of the proof, once the window has passed; undefined while a transaction is open, or an end moved meanwhile. */
const settledProof = async (
  sight: FenceSight,
  { window, before, sweeps, clock, options }: Settling,
): Promise<FenceProved | undefined> => {
  const [transactions, after, groups] = await Promise.all([
    sight.transactions(),
    sight.producers(),
    sight.groups(),
  ])
  if (before.kind === 'seen' && after.kind === 'seen') {
    const moved = movedSequences(before.value, after.value)
    if (moved.length > 0) throw stillWritten(`sequences of producers moved: ${movedText(moved)}`)
  }
  const { base, fromMs } = window
  if (transactions.kind === 'seen' && concerning(transactions.value, base).length > 0) return undefined
  const last = await sight.ends()
  if (grown(base, leosOf(last)).length > 0 || behindOf(last).length > 0) return undefined
  const { windowMs, driver, engaged } = options
  const proof: FenceProof = {
    ...{ windowMs, sweeps: sweeps + 1, partitions: base.size, fromMs, toMs: clock.wall(), driver },
    evidence: [...engaged.evidence, groupsText(groups)],
    writersLeft: engaged.writersLeft,
    ends: { api: 'OffsetForLeaderEpoch', hwIsLeo: true },
    producers: producersAnswer(after),
    transactions:
      transactions.kind === 'seen' ? { asked: true, open: 0 } : { asked: false, why: transactions.why },
  }
  return { ends: base, proof }
}

const producersAnswer = (
  seen: Producers,
): Answered<{ known: number; moved: 0; lastMs?: number | undefined }> =>
  seen.kind === 'seen'
    ? { asked: true, ...knownProducers(seen.value), moved: 0 }
    : { asked: false, why: seen.why }

const groupsText = (seen: Seen<readonly { group: string; members: number }[]>): string => {
  if (seen.kind === 'unseen') return `consumer groups can't be told: ${seen.why}`
  if (seen.value.length === 0) return 'no consumer group has members'
  const shown = seen.value.slice(0, SHOWN).map(({ group, members }) => `${group} (${members})`)
  const more = seen.value.length > SHOWN ? ` and ${seen.value.length - SHOWN} more` : ''
  return `consumer groups that have members: ${shown.join(', ')}${more}`
}

/** The window has long passed, and something still holds it back: who. */
const unsettled = async (sight: FenceSight, now: Ends, clock: ClockPort): Promise<KmigError> => {
  const transactions = await sight.transactions()
  const open = transactions.kind === 'seen' ? concerning(transactions.value, now) : []
  const behind = behindOf(now)
  const high = behind.length > 0 ? await sight.replicated(behind) : new Map<string, bigint>()
  const stuck = behind.slice(0, SHOWN).map(where => {
    const { leo = 0n, stable = 0n } = now.get(where) ?? {}
    const replicated = high.get(where) ?? stable
    return replicated < leo
      ? `${where}: ${leo - replicated} of ${leo} offsets are not on all replicas in sync`
      : `${where}: a transaction is open from offset ${stable} on`
  })
  const named = open.slice(0, SHOWN).map(each => transactionText(each, clock.wall()))
  const what = [...named, ...stuck].join('; ')
  return new KmigError(
    'PREFLIGHT',
    `nobody writes, but it does not come to rest: ${what || 'log ends move by markers'}`,
    {
      try: [
        ...(open.length > 0 || stuck.some(text => text.includes('transaction'))
          ? ['end these applications, wait for their timeout, or kafka-transactions.sh abort']
          : []),
        ...(stuck.some(text => text.includes('replicas'))
          ? ['bring the followers of these partitions back']
          : []),
      ],
    },
  )
}
