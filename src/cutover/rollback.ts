import type { Written } from '../discovery/index.ts'
import { type During, KmigError } from '../kit/index.ts'
import type { CutoverEvent } from './events.ts'
import type { RunLog } from './execute.ts'
import type { Ports } from './ports.ts'
import { type Cut, endsOf, type GroupsMoved, groupsMoved, type Proved, type State } from './states.ts'
import { grownText, leosOf } from './still.ts'

export type RolledBack = { already: boolean; files: Written; groups: GroupsMoved }

export type RollbackOptions = During<CutoverEvent> & { run: RunLog; ports: Ports }

/**
 * Puts the old world back: refuses with ROLLBACK_REFUSED once anybody but kmig wrote to the new cluster, else gives
 * group offsets back that are ahead there, restores the files byte for byte, and holds the topics for mirroring again.
 * Looks at the new cluster before and after the files: who wrote in between keeps the new world. Doing it again after a
 * crash goes on; on a run that was rolled back it changes nothing.
 */
export const rollBack = async ({ run, ports, on }: RollbackOptions): Promise<RolledBack> => {
  const { last } = run
  if (last?.at === 'rolled-back') {
    return {
      already: true,
      files: { changed: [], already: last.plan.files.map(file => file.path) },
      groups: last.groups,
    }
  }
  const was = switchedOnce(last)
  if (!was) throw nothingToTakeBack(run.id, last)
  const { cut, plan } = was
  const enter = async (state: State): Promise<void> => {
    await run.append(state, ports.clock.wall())
    on?.({ kind: 'state', run: run.id, state })
  }
  const refuse = async ({ restored }: { restored: boolean }): Promise<void> => {
    const refused = await whyNot(ports, cut)
    if (!refused) return
    if (restored) {
      await ports.discovery.commit(plan)
      await enter({ ...was, at: 'switched' })
    }
    throw refused
  }
  await refuse({ restored: last?.at === 'rolling-back' })
  await enter({ at: 'rolling-back', plan, cut, was })
  const groups = groupsMoved(await ports.mirror.syncGroupsBack(endsOf(cut)))
  const files = await ports.discovery.revert()
  await refuse({ restored: true })
  await ports.mirror.hold()
  await ports.mirror.mark(null)
  await enter({ at: 'rolled-back', plan, cut, groups })
  return { already: false, files, groups }
}

/** What was proved before the files were written, if they were, or may have been. */
const switchedOnce = (last: State | undefined): (Proved & { stranded: string[] }) | undefined => {
  switch (last?.at) {
    case 'switching':
    case 'files-written':
      return { plan: last.plan, cut: last.cut, proof: last.proof, groups: last.groups, stranded: [] }
    case 'switched':
      return last
    case 'rolling-back':
      return last.was
    default:
      return undefined
  }
}

const nothingToTakeBack = (id: string, last: State | undefined): KmigError =>
  new KmigError(
    'USAGE',
    `run ${id} is ${last?.at ?? 'empty'}: it has written no file, so there is nothing to take back`,
    {
      try: ['kmig cutover status, then name the run with --run'],
    },
  )

/** ROLLBACK_REFUSED when a log of the new cluster ends beyond the cut: kmig stopped writing there. */
const whyNot = async (ports: Ports, cut: Cut): Promise<KmigError | undefined> => {
  const ends = leosOf(await ports.ends.next())
  const found = [...endsOf(cut)].flatMap(([where, from]) => {
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
