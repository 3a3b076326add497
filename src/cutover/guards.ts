import { KmigError } from '../kit/index.ts'
import type { CheckReport } from './check-port.ts'
import type { ExecuteOptions } from './execute.ts'
import type { Ports } from './ports.ts'
import { type Begun, type Cut, endsOf, laggingText } from './states.ts'
import { grown, grownText, leosOf, stillWritten } from './still.ts'

/** The new cluster ends exactly where kmig stopped: nothing is missing, and nobody else wrote. Throws FOREIGN_WRITE. */
export const refuseForeign = async (ports: Ports, next: ReadonlyMap<string, bigint>): Promise<void> => {
  const found = grown(next, leosOf(await ports.ends.next()))
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

export const refuseGrowth = async (ports: Ports, cut: Cut): Promise<void> => {
  const found = grown(endsOf(cut), leosOf(await ports.ends.old()))
  if (found.length > 0)
    throw stillWritten(`somebody wrote to the old cluster after the cut: ${grownText(found)}`)
}

/** Throws PLAN_CHANGED when clusters, files or hooks are not as the plan found them. */
export const refuseDrift = async (ports: Ports, { fence }: Begun): Promise<void> => {
  const found = await ports.drift({ fenced: fence !== undefined })
  if (found.length > 0) throw planChanged(found)
}

/** The preflight, anew where it is old; not behind a fence that stands, where each second counts. Throws PREFLIGHT. */
export const refuseUnfit = async (ports: Ports, { fence }: Begun): Promise<void> => {
  const found = fence ? [] : ((await ports.unfit?.()) ?? [])
  if (found.length > 0)
    throw new KmigError('PREFLIGHT', found.join('\n'), {
      try: ['put these right, or accept what can be accepted, then make a new plan'],
    })
}

const SHOWN = 20

export const planChanged = (found: readonly string[]): KmigError =>
  new KmigError(
    'PLAN_CHANGED',
    `the plan no longer fits: ${found.slice(0, SHOWN).join('; ')}${found.length > SHOWN ? `; and ${found.length - SHOWN} more` : ''}`,
    { try: ['make a new plan: the same command without --execute and --run, and look at it'] },
  )

/** Throws when contents differ: FOREIGN_WRITE is for ends, this is for what lies between. Kept for the certificate. */
export const refuseDifferent = async (
  ports: Ports,
  which: 'base' | 'delta',
  report: CheckReport,
): Promise<void> => {
  await ports.record.keep(`check-${which}.json`, report)
  if (report.differences.length === 0) return
  throw new KmigError('FENCE', `contents differ: ${report.differences.slice(0, SHOWN).join('; ')}`, {
    try: ['kmig verify tells all of it', 'delete these topics on the new cluster: they are copied anew'],
  })
}

const LOOK_MS = 500

/** Waits until every group with members on the old cluster has committed up to the cut. Throws STILL_READ. */
export const readersDone = async (
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

export const groupsLeft = (left: readonly { group: string; why: string }[]): KmigError =>
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
