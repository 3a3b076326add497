import type { During } from '../kit/index.ts'
import type { CutoverEvent } from './events.ts'
import type { RunLog } from './execute.ts'
import type { FencePlan } from './fence-port.ts'
import type { Ports } from './ports.ts'
import { backFrom, type RolledBack, wasRolledBack } from './rollback.ts'
import {
  type BackAlone,
  type FenceState,
  type In,
  isBack,
  type State,
  type Switched,
  undoOf,
} from './states.ts'

/** The world without the new cluster. */
export type AlonePorts = Pick<Ports, 'clock' | 'hooks'> & {
  discovery: Pick<Ports['discovery'], 'revert'>
  fences: {
    /** How writers are kept off the new cluster, if that can be done without it. */
    plan(): Promise<FencePlan>
    engage(plan: FencePlan): Promise<void>
    /** Gives what could not be taken back, in words: it stands on the new cluster. */
    release(plans: readonly FencePlan[]): Promise<string[]>
  }
  /** What the old cluster lacks, or may lack, of the new one: ranges in words. */
  missing(was: Switched): Promise<string[]>
  /** Groups that go on where they stood at the cut. */
  groups(was: Switched): Promise<BackAlone['groups']>
}

export type BackAloneOptions = During<CutoverEvent> & { run: RunLog; ports: AlonePorts }

type Now = In<'back-lossy'>

/**
 * The way back with the new cluster gone, by consent: writers are kept off as far as that can be done without it, what the
 * old one lacks is named, files go back, the old cluster is given to its writers. Nothing can be proved of the new one.
 * After a crash it goes on; once it has begun to put files back, it does so whether or not the new cluster has come again.
 * Source: CUTOVER.md 3.
 */
export const goBackAlone = async (options: BackAloneOptions): Promise<RolledBack> => {
  const { run, ports, on } = options
  const { last } = run
  if (last?.at === 'rolled-back') return wasRolledBack(last)
  const enter = async <S extends State>(state: S): Promise<S> => {
    await run.append(state, ports.clock.wall())
    on?.({ kind: 'state', run: run.id, state })
    return state
  }
  const now = last?.at === 'back-lossy' ? last : await enter(await begun(options, enter))
  const { plan, cut, was, fence, groups, lost } = now
  const files = await ports.discovery.revert()
  const undo = undoOf({ at: 'soaking', ...was })
  // as `goBack`: one program holds the writers of both sides
  const once = fence.plan.driver === 'hook' && undo.fence?.plan.driver === 'hook'
  const standing = [...(once ? [] : [fence.plan]), undo.seal, undo.fence?.plan].filter(
    each => each !== undefined,
  )
  const undone = [...now.undone, ...(await ports.fences.release(standing))]
  for (const { group } of was.readers?.moved ?? []) {
    await ports.hooks.run('stop-readers', { state: now.at, side: 'new' }, { group })
    await ports.hooks.run('start-readers', { state: now.at, side: 'old' }, { group })
  }
  await ports.hooks.run('rollback', { state: now.at, side: 'old' })
  await enter({ at: 'rolled-back', plan, cut, groups, lost, undone })
  return { already: false, files, groups, lost, undone, standing: [] }
}

/** Up to the journaled intent to put the files back. */
const begun = async (
  { run, ports }: BackAloneOptions,
  enter: (state: State) => Promise<State>,
): Promise<Now> => {
  const from = backFrom(run.id, run.last)
  const before = run.last ?? from
  const proved = isBack(from) && from.at === 'back-switching' ? from : undefined
  const was: Switched = isBack(from) ? from.was : from
  const wasAt = isBack(from) ? from.wasAt : from.at
  const fence: FenceState = isBack(from)
    ? from.fence
    : { plan: await ports.fences.plan(), sinceMs: ports.clock.wall() }
  const { plan, cut } = was
  const back = { plan, cut, was, wasAt, fence }
  const handedBack = proved?.handedBack === true
  const undone = handedBack
    ? []
    : [
        'the new cluster was not told: the mirror there is still ended by this run. Before a new cutover to it delete the topics and the topic __kmig.<name> there, and mirror anew',
      ]
  const none = { groups: 0, partitions: 0, left: [] }
  if (proved)
    return { at: 'back-lossy', ...back, groups: proved.groups ?? none, lost: proved.lost ?? [], undone }
  await enter({ at: 'back-fencing', ...back })
  try {
    await ports.fences.engage(fence.plan)
    return {
      at: 'back-lossy',
      ...back,
      groups: await ports.groups(was),
      lost: await ports.missing(was),
      undone,
    }
  } catch (e) {
    await ports.fences.release([fence.plan])
    await enter(isBack(before) ? { at: wasAt, ...was } : before)
    throw e
  }
}
