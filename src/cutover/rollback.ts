import type { Written } from '../discovery/index.ts'
import { type During, KmigError } from '../kit/index.ts'
import { type BackOptions, goBack } from './back.ts'
import { release } from './execute.ts'
import type { Ports } from './ports.ts'
import { bringReadersBack } from './readers.ts'
import {
  type Cut,
  endsOf,
  type GroupsMoved,
  groupsMoved,
  isBack,
  isSwitched,
  type State,
  type Switched,
  type SwitchedName,
  undoOf,
} from './states.ts'
import { grownText, leosOf } from './still.ts'

/** `lost`: what is on the new cluster only, by consent. */
export type RolledBack = { already: boolean; files: Written; groups: GroupsMoved; lost: readonly string[] }
export type RollbackOptions = BackOptions & During

/**
 * Puts the old world back. As long as nobody but kmig wrote to the new cluster: group offsets go back that are ahead
 * there, files byte for byte, topics are held for mirroring again, the old cluster is given back to its writers. Looks at
 * the new cluster before and after the files. Once somebody wrote there, the way back is by the copy back (`goBack`);
 * without one: ROLLBACK_REFUSED. Doing it again after a crash goes on; on a run that was rolled back it changes nothing.
 */
export const rollBack = async (options: RollbackOptions): Promise<RolledBack> => {
  const { run, ports, on } = options
  const { last } = run
  if (last?.at === 'rolled-back') {
    return {
      already: true,
      files: { changed: [], already: last.plan.files.map(file => file.path) },
      groups: last.groups,
      lost: last.lost ?? [],
    }
  }
  if (isBack(last)) return await goBack(last, options)
  const found = switchedOnce(last)
  if (!found) throw nothingToTakeBack(run.id, last)
  const { was, wasAt } = found
  const { cut, plan } = was
  const enter = async (state: State): Promise<void> => {
    await run.append(state, ports.clock.wall())
    on?.({ kind: 'state', run: run.id, state })
  }
  // Clients that were let in may write at any moment, whatever a look has shown: with a copy back they are fenced first.
  if (ports.reverse && was.reverse && isSwitched(last))
    return await goBack({ at: 'target-live', ...was }, options)
  const written = await writtenOn(ports, was)
  let files: Written
  if (!written) {
    if (last?.at !== 'rolling-back') await enter({ at: 'rolling-back', plan, cut, was, wasAt, free: true })
    const groups = groupsMoved(await ports.mirror.syncGroupsBack(identical(was)))
    files = await ports.discovery.revert()
    if (!(await writtenOn(ports, was))) {
      await ports.mirror.hold()
      await ports.mirror.mark(null)
      await release(undoOf({ at: wasAt, ...was }), ports)
      let { readers } = was
      if (readers) {
        const left = async (still: typeof readers) => {
          readers = still
          await run.append(
            { at: 'rolling-back', ...{ plan, cut, wasAt }, was: { ...was, readers }, free: true },
            ports.clock.wall(),
          )
        }
        await bringReadersBack({ ports, signal: options.signal, on, state: 'rolling-back', readers, left })
      }
      await ports.hooks.run('rollback', { state: 'rolling-back', side: 'old' })
      await enter({ at: 'rolled-back', plan, cut, groups })
      return { already: false, files, groups, lost: [] }
    }
  }
  if (!written || last?.at === 'rolling-back') {
    // Whoever wrote meanwhile keeps the new world: files that were taken back already name it again.
    await ports.discovery.commit(plan)
    await enter({ at: wasAt, ...was })
  }
  if (!ports.reverse || !was.reverse) throw (await writtenOn(ports, was)) ?? nothingToTakeBack(run.id, last)
  return await goBack({ at: 'target-live', ...was }, options)
}

/** Partitions whose offsets are the same on both sides, up to the cut. */
const identical = ({ cut, next }: Switched): Map<string, bigint> =>
  new Map([...endsOf(cut)].filter(([where]) => cut[where] === next[where]))

/** What was proved before the files were written, if they were, or may have been. */
const switchedOnce = (last: State | undefined): { was: Switched; wasAt: SwitchedName } | undefined => {
  if (last?.at === 'rolling-back') return last
  if (last?.at === 'switching' || last?.at === 'files-written') {
    const { at: _, ...rest } = last
    return { was: { ...rest, stranded: [] }, wasAt: 'opening' }
  }
  if (!isSwitched(last)) return undefined
  const { at: wasAt, ...was } = last
  return { was, wasAt }
}

const nothingToTakeBack = (id: string, last: State | undefined): KmigError =>
  last?.at === 'complete' || last?.at === 'completing'
    ? new KmigError(
        'WRONG_STATE',
        `run ${id} is ${last.at}: nothing was copied back since, so there is no way back`,
      )
    : new KmigError(
        'USAGE',
        `run ${id} is ${last?.at ?? 'empty'}: it has written no file, so there is nothing to take back`,
        {
          try: [
            'kmig cutover status, then name the run with --run',
            'kmig cutover abort ends a run that goes on',
          ],
        },
      )

/** ROLLBACK_REFUSED when a log of the new cluster ends beyond the cut: kmig stopped writing there. */
const writtenOn = async (ports: Ports, { next }: { next: Cut }): Promise<KmigError | undefined> => {
  const ends = leosOf(await ports.ends.next())
  const found = [...endsOf(next)].flatMap(([where, from]) => {
    const to = ends.get(where) ?? from
    return to > from ? [{ where, from, to }] : []
  })
  if (found.length === 0) return undefined
  const records = found.reduce((sum, { from, to }) => sum + to - from, 0n)
  return new KmigError(
    'ROLLBACK_REFUSED',
    `clients wrote ${records} records to the new cluster since the cutover, which going back would lose: ${grownText(found)}`,
    {
      try: [
        'stay on the new cluster',
        'or stop its writers, and copy these records back by hand before you restore the files',
      ],
    },
  )
}
