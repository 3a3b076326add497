import type { During } from '../../kit/index.ts'
import type { Mirror } from '../../mirror/index.ts'
import type { FenceDriver } from '../fence-port.ts'
import { accessChecks } from './access.ts'
import { copyChecks } from './copying.ts'
import { gather } from './facts.ts'
import { type FileOptions, fileChecks } from './files.ts'
import { CHECKS, type Finding, looked, notChecked, type Outcome } from './finding.ts'
import { groupChecks } from './groups.ts'
import { type ReadinessOptions, readinessChecks } from './readiness.ts'
import { replicaChecks } from './replicas.ts'
import { settingChecks } from './settings.ts'

export type PreflightOptions = During &
  FileOptions &
  ReadinessOptions & {
    /** Both clusters, looked at; nothing of it need run. */
    mirror: Mirror
    names: { old: string; next: string }
    /** The fence of the old cluster, if one is chosen. */
    driver?: FenceDriver | undefined
  }

/** Every check, with what became of it; findings in the order of the checks. */
export type Preflight = { checks: Outcome[]; findings: Finding[] }

/** Looks at both clusters, the files and the run, and changes nothing. Source: CUTOVER.md 11. */
export const preflight = async (options: PreflightOptions): Promise<Preflight> => {
  const { mirror, names, signal } = options
  const facts = await gather(mirror, names, { signal })
  const outcomes = [
    looked('same-cluster-id'), // Mirror.open refuses that
    ...settingChecks(facts),
    ...replicaChecks(facts),
    ...(
      await Promise.all([
        copyChecks(facts, { signal }),
        accessChecks(facts, options.driver, { signal }),
        groupChecks(facts, options),
        fileChecks(facts, options),
        readinessChecks(facts, options),
      ])
    ).flat(),
  ]
  const by = new Map(outcomes.map(each => [each.id, each]))
  const checks = CHECKS.map((id): Outcome => by.get(id) ?? notChecked(id, 'kmig has no check of this'))
  return { checks, findings: checks.flatMap(each => (each.kind === 'looked' ? each.findings : [])) }
}
