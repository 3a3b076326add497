import { type During, EXIT, isKmigError, KmigError, messageOf } from '../kit/index.ts'
import { again, triedIn } from './again.ts'
import type { Budget } from './budget.ts'
import type { CutoverEvent } from './events.ts'
import type { FencePlan } from './fence-port.ts'
import { inTime } from './in-time.ts'
import type { Ports } from './ports.ts'
import { restartReaders, stayText } from './readers.ts'
import {
  engagedBy,
  type FenceState,
  type FilesPlan,
  isBeforeFence,
  isEnd,
  readersIn,
  type State,
  type StateName,
  type Undo,
  undoOf,
} from './states.ts'
import { step } from './steps.ts'
import { leosOf } from './still.ts'
import { beyond, lostText } from './uncopied.ts'

/** The journal of a run, as the machine needs it. */
export type RunLog = {
  readonly id: string
  readonly last: State | undefined
  append(state: State, atMs: number): Promise<void>
}

export type ExecuteOptions = During<CutoverEvent> & {
  run: RunLog
  ports: Ports
  /** Made after what a crash left in the files was settled. */
  plan: FilesPlan
  /** How long log ends must stand still, ms; default by what the fence proves of itself. */
  stillForMs?: number | undefined
  /** How long live readers of the old cluster get to read up to the cut, ms. */
  readersWithinMs: number
  /** How long a fence may stand that can be released, as a budget. */
  budget(fence: FenceState): Budget
  /** How often a fence that was let go in time, or that somebody wrote through, is tried in all; default once. */
  fenceAttempts?: number | undefined
  /** The first pause between attempts, ms; it doubles, and is never shorter than writers stood still. */
  backoffMs?: number | undefined
}

/**
 * Drives a run up to `switched`, journaling each state before the next step begins. After a crash the same call goes on,
 * and so it does from `backing-off`, with a mirror that was opened anew. What fails before the files are written puts
 * everything back and is thrown, with exit 9 unless loss is at stake.
 */
export const execute = async (options: ExecuteOptions): Promise<State> => {
  let now = await resumed(options)
  if (now.at !== 'backing-off') await enter(now, options)
  while (!isEnd(now) && !AFTER.has(now.at)) {
    const from: State = now
    try {
      now = await limited(from, options)
    } catch (e) {
      const later = await again(from, e, options).catch(() => undefined) // told by putting it all back
      if (!later) throw await aborted(from, e, options)
      await enter(later, options)
      return later
    }
    await enter(now, options)
  }
  return now
}

/** States that others drive. */
const AFTER: ReadonlySet<StateName> = new Set(['switched', 'target-live', 'soaking', 'completing'])
/** From here on a failure is made good by going on, not by going back. */
const COMMITTED: ReadonlySet<StateName> = new Set(['files-written', 'opening'])
const enter = async (state: State, { run, ports, on }: ExecuteOptions): Promise<void> => {
  await run.append(state, ports.clock.wall())
  on?.({ kind: 'state', run: run.id, state })
}

/** A step, no longer than the operator wants, and than writers may stand still. */
const limited = async (from: State, options: ExecuteOptions): Promise<State> => {
  // nor is the move of a group left behind half done: it looks at the signal itself
  if (COMMITTED.has(from.at) || from.at === 'switching' || from.at === 'reads-moving')
    return await step(from, options)
  const { fence } = undoOf(from)
  return await inTime({ at: from.at, fence, ...options }, signal => step(from, { ...options, signal }))
}

/**
 * What a crash left in the files is finished, or taken back, before anybody plans anew: a switch that was fully staged
 * is finished, one that was being put back is put back, and so is what else an abort had begun to undo.
 */
export const settle = async (last: State | undefined, ports: Ports): Promise<void> => {
  if (last?.at !== 'aborting') {
    await ports.discovery.recover()
    return
  }
  await ports.discovery.revert()
  await release(last.undo, ports)
}

/**
 * Where to go on. Proofs expire with the process that made them, so everything before the switch starts over; a fence
 * that stands keeps its clock. A switch whose files are all written goes on from there; the plan, made after recovery,
 * tells by having nothing left to do.
 */
const resumed = async ({ run, plan, ports }: ExecuteOptions): Promise<State> => {
  const { last } = run
  if (last?.at === 'opening') return { ...last, at: 'files-written' } // what it looked at is old
  if (last && (COMMITTED.has(last.at) || AFTER.has(last.at))) return last
  if (last?.at === 'switching' && plan.files.length === 0) return { ...last, at: 'files-written' }
  if (last?.at === 'backing-off') return last
  const tried = last && !isEnd(last) ? triedIn(last) : []
  const going = last && !isEnd(last) && last.at !== 'aborting' ? last : undefined
  const { rights, fence } = going ? undoOf(going) : {}
  const readers = going && readersIn(going)
  const begun = {
    ...{ at: 'planned' as const, plan },
    ...(tried.length > 0 && { tried }),
    ...(readers && { readers }),
    ...(rights && { rights }),
  }
  if (!fence || (await ports.record.decided(fence)) !== 'release')
    return { ...begun, ...(fence && { fence }) }
  await ports.fences.of(fence.plan).release(fence.plan) // the watchdog did, or meant to
  return begun
}

/** Puts back what was changed, and tells the error as what ended the cutover. */
const aborted = async (from: State, e: unknown, options: ExecuteOptions): Promise<unknown> => {
  if (COMMITTED.has(from.at) && !isKmigError(e, 'STILL_WRITTEN')) return goOn(e)
  let late: string[]
  try {
    late = await putBack(from, e, options)
  } catch (second) {
    const what = `${messageOf(e)}; putting back failed too: ${messageOf(second)}`
    return new KmigError('PARTIAL', what, {
      try: ['put that right, then run the same command: it goes on'],
      cause: e,
    })
  }
  if (!isKmigError(e)) return e
  const { code, message, suggestions, cause } = e
  const stay = stayText(readersIn(from))
  const hints = [...suggestions, ...(stay ? [stay] : [])]
  // nothing of the cutover proper had begun: the error keeps its own exit code
  if (isBeforeFence(from)) return stay ? new KmigError(code, message, { try: hints, exit: e.exit, cause }) : e
  const exit = e.exit === EXIT.loss || late.length > 0 ? EXIT.loss : EXIT.aborted
  const times = triedIn(from).length + 1
  const often = times > 1 ? `, after ${times} attempts` : ''
  const but = stay ? ', but for the readers that have moved' : ''
  const lost =
    late.length > 0 ? `; the new cluster alone has what clients wrote there: ${late.join(', ')}` : ''
  return new KmigError(code, `${message}; the old world is as it was${but}${often}${lost}`, {
    try: hints,
    exit,
    cause,
  })
}

/**
 * Everything that this run has changed for clients goes back: files first, writers last. Gives what clients that came
 * too early wrote to the new cluster.
 */
export const putBack = async (
  from: State,
  e: unknown,
  { run, ports, on }: Pick<ExecuteOptions, 'run' | 'ports' | 'on'>,
): Promise<string[]> => {
  const record = async (state: State) => {
    await run.append(state, ports.clock.wall())
    on?.({ kind: 'state', run: run.id, state })
  }
  const undo = undoOf(from)
  const readers = readersIn(from)
  const why = {
    ...{ plan: from.plan, why: messageOf(e), code: isKmigError(e) ? e.code : 'BUG' },
    ...(readers && readers.moved.length > 0 && { readers: { moved: readers.moved } }),
  }
  const touched = TOUCHED.has(from.at)
  const changed = touched || undo.fence || undo.rights || undo.reader !== undefined
  if (changed) await record({ at: 'aborting', ...why, undo })
  if (touched) {
    await ports.discovery.revert()
    await ports.mirror.hold()
    await ports.mirror.mark(null)
  }
  await release(undo, ports)
  const late = touched && 'next' in from ? beyond(from, leosOf(await ports.ends.next())) : []
  await record({ at: 'aborted', ...why })
  return late.map(range => lostText(range, 'written before the files were put back'))
}

/** What clients see, or a mirror finds, may have been changed. */
const TOUCHED: ReadonlySet<StateName> = new Set(['switching', 'files-written', 'opening', 'switched'])

/** Gives the old cluster back to its writers, and to readers that were on their way. */
export const release = async (undo: Undo | undefined, ports: Ports): Promise<void> => {
  for (const plan of engagedBy(undo)) await ports.fences.of(plan).release(plan)
  if (undo?.reader !== undefined) await restartReaders(undo.reader, ports)
}

/**
 * The same after a switch. Who still runs on the new cluster must not write there: the right to goes before anything else,
 * and the fence stays until clients were told to leave. The rest of the rights goes last, as readers need them until then.
 */
export const releaseBack = async (
  { rights, ...undo }: Undo,
  ports: Ports,
  {
    state,
    fence,
    meanwhile,
  }: { state: StateName; fence?: FencePlan | undefined; meanwhile?: (() => Promise<void>) | undefined },
): Promise<void> => {
  const writing = rights && ports.rights?.writing(rights)
  await release({ rights: writing, armed: false }, ports)
  await release(undo, ports)
  await meanwhile?.()
  await ports.hooks.run('rollback', { state, side: 'old' })
  if (fence) await ports.fences.of(fence).release(fence)
  await release({ rights, armed: false }, ports)
}

const goOn = (e: unknown): unknown =>
  isKmigError(e)
    ? new KmigError(e.code, `the files are written, but the last look failed: ${e.message}`, {
        try: ['run the same command again: it goes on from there', ...e.suggestions],
        exit: e.exit,
        cause: e,
      })
    : e
