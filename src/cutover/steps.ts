import { bug, KmigError } from '../kit/index.ts'
import type { ExecuteOptions } from './execute.ts'
import type { Ports } from './ports.ts'
import { type Cut, cutOf, endsOf, groupsMoved, laggingText, type Proved, type State } from './states.ts'
import { grown, grownText, leosOf, proveStill, stillWritten } from './still.ts'

/** One move of the machine: does what leads to the next state, which is returned. Each can be done again. */
export const step = async (now: State, options: ExecuteOptions): Promise<State> => {
  const { ports, run } = options
  switch (now.at) {
    case 'planned':
      await ports.mirror.start()
      return { ...now, at: 'mirroring' }
    case 'mirroring':
      await ports.mirror.caughtUp()
      return { ...now, at: 'caught-up' }
    case 'caught-up': {
      const { ends, proof } = await proveStill({
        windowMs: options.stillForMs,
        look: ports.ends.old,
        clock: ports.clock,
      })
      return { at: 'still', plan: now.plan, cut: cutOf(ends), proof }
    }
    case 'still':
      await ports.mirror.reached(endsOf(now.cut))
      await ports.mirror.stop()
      await refuseForeign(ports, now.cut)
      return { ...now, at: 'drained' }
    case 'drained': {
      await readersDone(now.cut, options)
      const groups = groupsMoved(await ports.mirror.syncGroups())
      if (groups.left.length > 0) throw groupsLeft(groups.left)
      return { ...now, at: 'offsets-set', groups }
    }
    case 'offsets-set':
      await ports.mirror.mark(run.id)
      await ports.mirror.release()
      return { ...now, at: 'configs-released' }
    case 'configs-released':
      await refuseGrowth(ports, now.cut)
      await refuseForeign(ports, now.cut)
      return { ...now, at: 'switching', groups: await sameGroups(now, options) }
    case 'switching':
      await ports.discovery.commit(now.plan)
      return { ...now, at: 'files-written' }
    case 'files-written':
      return await lastLook(now, ports)
    case 'switched':
    case 'aborting':
    case 'aborted':
    case 'rolling-back':
    case 'rolled-back':
      throw bug(`a cutover that is ${now.at} has no next step`)
    default:
      return now satisfies never
  }
}

/** The new cluster ends exactly at the cut: nothing is missing, and nobody but kmig wrote. Throws FOREIGN_WRITE. */
const refuseForeign = async (ports: Ports, cut: Cut): Promise<void> => {
  const found = grown(endsOf(cut), leosOf(await ports.ends.next()))
  if (found.length === 0) return
  throw new KmigError(
    'FOREIGN_WRITE',
    `the new cluster does not end where the old one does: ${grownText(found)}`,
    {
      try: [
        'find who writes to the new cluster and stop it',
        'delete these topics on the new cluster: they are copied anew',
      ],
    },
  )
}

const refuseGrowth = async (ports: Ports, cut: Cut): Promise<void> => {
  const found = grown(endsOf(cut), leosOf(await ports.ends.old()))
  if (found.length > 0)
    throw stillWritten(`somebody wrote to the old cluster after the cut: ${grownText(found)}`)
}

const LOOK_MS = 500

/** Waits until every group with members on the old cluster has committed up to the cut. Throws STILL_READ. */
const readersDone = async (
  cut: Cut,
  { ports, readersWithinMs, signal, on }: ExecuteOptions,
): Promise<void> => {
  const end = ports.clock.now() + readersWithinMs
  for (;;) {
    signal.throwIfAborted()
    const lagging = await ports.mirror.lagging(endsOf(cut))
    if (lagging.length === 0) return
    on?.({ kind: 'readers', lagging })
    if (ports.clock.now() >= end) {
      throw new KmigError(
        'STILL_READ',
        `live groups have not read the old cluster to its end: ${lagging.map(laggingText).join(', ')}`,
        {
          try: [
            'wait until they have, or stop their members: a stopped group goes on where it was',
            'leave groups out: --groups',
          ],
        },
      )
    }
    await ports.clock.sleep(LOOK_MS)
  }
}

const groupsLeft = (left: readonly { group: string; why: string }[]): KmigError =>
  new KmigError(
    'PREFLIGHT',
    `offsets of groups can't be moved: ${left.map(({ group, why }) => `${group}: ${why}`).join('; ')}`,
    {
      try: [
        'stop members that run on the new cluster already',
        'delete a group there that is ahead, or leave it out: --groups',
      ],
    },
  )

/** Groups once more, right before the switch: what was committed since then moves too. */
const sameGroups = async (now: Proved, { ports }: ExecuteOptions): Promise<Proved['groups']> => {
  const groups = groupsMoved(await ports.mirror.syncGroups())
  if (groups.left.length > 0) throw groupsLeft(groups.left)
  return groups.partitions > 0 ? groups : now.groups
}

/**
 * The files are written. If a straggler wrote to the old cluster meanwhile and nobody to the new one, the way back is
 * still free, and taken. If both were written to, there is none: the stranded records are named.
 */
const lastLook = async (now: Proved, ports: Ports): Promise<State> => {
  const late = grown(endsOf(now.cut), leosOf(await ports.ends.old()))
  if (late.length === 0) return { ...now, at: 'switched', stranded: [] }
  const moved = grown(endsOf(now.cut), leosOf(await ports.ends.next()))
  const text = late.map(({ where, from, to }) => `${where}: ${from}-${to - 1n}`)
  if (moved.length > 0) return { ...now, at: 'switched', stranded: text }
  throw stillWritten(`somebody wrote to the old cluster while the files were written: ${grownText(late)}`)
}
