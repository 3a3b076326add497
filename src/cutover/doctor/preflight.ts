import type { During } from '../../kit/index.ts'
import type { Mirror } from '../../mirror/index.ts'
import type { FenceDriver } from '../fence-port.ts'
import { type AccessOptions, accessChecks } from './access.ts'
import { copyChecks } from './copying.ts'
import { gather, inAll } from './facts.ts'
import { type FileOptions, fileChecks } from './files.ts'
import { CHECKS, looked, notChecked, type Outcome } from './finding.ts'
import { type GroupOptions, groupChecks } from './groups.ts'
import { type ReadinessOptions, readinessChecks } from './readiness.ts'
import { replicaChecks } from './replicas.ts'
import { settingChecks } from './settings.ts'

/** A fence that is only looked at. */
export type Probed = Pick<FenceDriver, 'probe'>

export type PreflightOptions = During &
  FileOptions &
  AccessOptions &
  ReadinessOptions &
  GroupOptions & {
    /** Both clusters, looked at; nothing of it need run. */
    mirror: Mirror
    names: { old: string; next: string }
  }

/**
 * Every check with what became of it, in their order: looks at clusters, files and run. Those of clusters end in time,
 * whether or not they were answered. Source: CUTOVER.md 11.
 */
export const preflight = async (options: PreflightOptions): Promise<Outcome[]> => {
  const { mirror, names } = options
  using limit = inAll(options)
  const { signal } = limit
  const timely = { ...options, signal }
  const facts = await gather(mirror, names, { signal })
  const outcomes = [
    looked('same-cluster-id'), // Mirror.open refuses that
    ...settingChecks(facts),
    ...replicaChecks(facts),
    ...(
      await Promise.all([
        copyChecks(facts, { signal }),
        accessChecks(facts, timely),
        groupChecks(facts, timely),
        fileChecks(facts, options), // no broker is asked
        readinessChecks(facts, timely),
      ])
    ).flat(),
  ]
  options.signal.throwIfAborted()
  const by = new Map(outcomes.map(each => [each.id, each]))
  return CHECKS.map(id => by.get(id) ?? notChecked(id, 'kmig has no check of this'))
}
