import { bug, type During, isKmigError, KmigError, sleep } from '../kit/index.ts'
import type { Budget } from './budget.ts'
import type { CutoverEvent } from './events.ts'
import { type RunLog, release } from './execute.ts'
import { groupsLeft } from './guards.ts'
import { inTime } from './in-time.ts'
import type { Ports } from './ports.ts'
import type { ReversePort } from './reverse-port.ts'
import type { RolledBack } from './rollback.ts'
import {
  type BackProved,
  type BackState,
  cutOf,
  endsOf,
  type FenceState,
  groupsMoved,
  type In,
  pointsOf,
  type State,
  undoOf,
} from './states.ts'
import { grown, grownText, leosOf, proofWindow, stillWritten } from './still.ts'

export type BackOptions = During<CutoverEvent> & {
  run: RunLog
  ports: Ports
  stillForMs?: number | undefined
  /** Goes back though records that are on the new cluster only are lost to the clients. */
  lossy?: boolean | undefined
  budget(fence: FenceState): Budget
}

type Live = In<'target-live'>

/**
 * The way back once clients have written to the new cluster: its writers are fenced, that is proved, the copy back
 * drained, group offsets and files go back, the old cluster is given to its writers. What fails before the files are
 * touched ends the fence, and the run soaks on. A crash goes on: before the files with a new proof, after them to the end.
 * Source: CUTOVER.md 3.
 */
export const goBack = async (from: Live | BackState, options: BackOptions): Promise<RolledBack> => {
  const { ports, run, on } = options
  const { reverse } = ports
  if (!reverse) throw bug('no copy back')
  const enter = async <S extends State>(state: S): Promise<S> => {
    await run.append(state, ports.clock.wall())
    on?.({ kind: 'state', run: run.id, state })
    return state
  }
  if (!(from.at === 'back-switching' && from.handedBack))
    await reverse.start(pointsOf(from.at === 'target-live' ? from : from.was))
  let now: BackState
  if (from.at === 'target-live') {
    await nearlyThere(reverse, options)
    const { at: _, ...was } = from
    const fence = { plan: await ports.fences.next.plan(), sinceMs: ports.clock.wall() }
    now = await enter({ at: 'back-fencing', plan: was.plan, cut: was.cut, was, wasAt: 'soaking', fence })
  } else if (from.at === 'back-switching') now = from
  else {
    const { plan, cut, was, wasAt, fence } = from
    now = await enter({ at: 'back-fencing', plan, cut, was, wasAt, fence }) // proofs end with their process
  }
  try {
    while (now.at !== 'back-switching') now = await enter(await forward(now, reverse, options))
    return await finish(now, reverse, options)
  } catch (e) {
    if (run.last?.at !== 'back-switching' || isKmigError(e, 'DISCOVERY_CONFLICT')) {
      await ports.fences.of(now.fence.plan).release(now.fence.plan)
      await eachReader(now, options, 'start-readers', 'new')
      await enter({ at: now.wasAt, ...now.was })
    }
    throw e
  }
}

const forward = async (
  now: Exclude<BackState, { at: 'back-switching' }>,
  reverse: ReversePort,
  options: BackOptions,
): Promise<BackState> => {
  const { ports } = options
  return await inTime({ ...options, at: now.at, fence: now.fence }, async (): Promise<BackState> => {
    switch (now.at) {
      case 'back-fencing': {
        await ports.watch?.(now.fence)
        const engaged = await ports.fences.of(now.fence.plan).engage(now.fence.plan)
        const { ends, proof } = await ports.proof.next.prove({
          windowMs: proofWindow(options.stillForMs, engaged),
          driver: now.fence.plan.driver,
          engaged,
        })
        return { ...now, at: 'back-still', ends: cutOf(ends), proof }
      }
      case 'back-still': {
        await eachReader(now, options, 'stop-readers', 'new')
        const lost = await reverse.drained(endsOf(now.ends), { lossy: options.lossy ?? false })
        await refuseLate(ports, now)
        const groups = groupsMoved(await reverse.syncGroups(endsOf(now.ends)))
        if (groups.left.length > 0 && !options.lossy) throw groupsLeft(groups.left)
        return { ...now, at: 'back-offsets', groups, lost }
      }
      case 'back-offsets':
        await refuseLate(ports, now)
        await reverse.stop()
        if (!(await ports.record.decide('switch', now.fence))) {
          throw bug('the watchdog released the fence of a process that lives')
        }
        return { ...now, at: 'back-switching' }
      default:
        return now satisfies never
    }
  })
}

/** Groups that moved first have programs of their own, which stop and start them. */
const eachReader = async (
  { at, was }: BackState,
  { ports }: BackOptions,
  hook: 'stop-readers' | 'start-readers',
  side: 'old' | 'new',
): Promise<void> => {
  for (const { group } of was.readers?.moved ?? [])
    await ports.hooks.run(hook, { state: at, side }, { group })
}

const refuseLate = async (ports: Ports, { ends }: BackProved): Promise<void> => {
  const found = grown(endsOf(ends), leosOf(await ports.ends.next()))
  if (found.length > 0)
    throw stillWritten(`somebody wrote to the new cluster after its fence was proved: ${grownText(found)}`)
}

/** From the files on, everything is done again until it is done. */
const finish = async (
  now: Extract<BackState, { at: 'back-switching' }>,
  reverse: ReversePort,
  options: BackOptions,
): Promise<RolledBack> => {
  const { ports, run, on } = options
  const { plan, was, groups = { groups: 0, partitions: 0, left: [] } } = now
  const files = await ports.discovery.revert()
  if (!now.handedBack) {
    await ports.mirror.hold()
    await reverse.handBack(endsOf(now.ends), { lossy: (now.lost ?? []).length > 0 })
    await ports.readers?.forget()
    await ports.mirror.mark(null)
    await run.append({ ...now, handedBack: true }, ports.clock.wall())
  }
  const undo = undoOf({ at: 'soaking', ...was })
  // one program holds the writers of both sides: letting them go once is enough, and it must be to the old side
  const once = now.fence.plan.driver === 'hook' && undo.fence?.plan.driver === 'hook'
  if (!once) await ports.fences.of(now.fence.plan).release(now.fence.plan)
  await release(undo, ports)
  await eachReader(now, options, 'start-readers', 'old')
  await ports.hooks.run('rollback', { state: now.at, side: 'old' })
  const state: State = { at: 'rolled-back', plan, cut: now.ends, groups, lost: now.lost }
  await run.append(state, ports.clock.wall())
  on?.({ kind: 'state', run: run.id, state })
  return { already: false, files, groups, lost: now.lost ?? [] }
}

/** Records that may be left to copy back when writers are stopped: less than a second's work. */
const NEAR = 10_000n
const LOOK_MS = 500

/** Copies back while clients still write, so that they need not wait for it. */
const nearlyThere = async (reverse: ReversePort, { lossy, signal, on }: BackOptions): Promise<void> => {
  for (;;) {
    signal.throwIfAborted()
    const lag = await reverse.lag()
    if (lag.stopped.length > 0 && lossy) return
    if (lag.stopped.length > 0) {
      throw new KmigError('STRANDED', `the copy back has stopped: ${lag.stopped.join('; ')}`, {
        try: [
          'nobody was stopped, nothing was changed: put that right, or stay on the new cluster',
          'kmig cutover rollback --lossy goes back without these records',
        ],
      })
    }
    if (lag.records <= NEAR) return
    on?.({ kind: 'back', records: lag.records })
    await sleep(LOOK_MS, signal)
  }
}
