import { Cluster, type ClusterAddress } from '../../kafka/index.ts'
import type { During } from '../../kit/index.ts'
import { Mirror } from '../../mirror/index.ts'
import type { DriverName, FenceDriver } from '../fence-port.ts'
import { PRODUCER_ERRORS } from '../fences/index.ts'
import { driverFor } from '../fences.ts'
import { CHECKS, type CheckId, type Finding, looked, notChecked, type Outcome } from './finding.ts'
import { preflight } from './preflight.ts'
import { hasHook } from './readiness.ts'

type Address = ClusterAddress & { zookeeper?: string | undefined }
export type DoctorOptions = During & {
  from: Address
  to: Address
  stateDir: string
  name?: string | undefined
  topics?: readonly string[] | undefined
  exclude?: readonly string[] | undefined
  groups?: readonly string[] | undefined
  discovery?: string | undefined
  followSymlinks?: boolean | undefined
  git?: boolean | undefined
  hooksDir?: string | undefined
  fence?: DriverName | undefined
  windowMs: number
  maxFenceMs: number
  /** As of `preflight`. */
  rehearsedWithinMs?: number | undefined
  /** Checks whose errors the operator has seen and takes. */
  accept: readonly CheckId[]
}

export type DoctorReport = {
  from: { name: string; clusterId: string }
  to: { name: string; clusterId: string }
  topics: number
  findings: (Finding & { accepted: boolean })[]
  checks: { id: CheckId; is: 'ok' | 'found' | 'not-checked'; why?: string }[]
}

/** Looks at everything that a cutover rests on, and changes nothing. Throws UNREACHABLE and the like, STATE_DAMAGED. */
export const doctor = async (options: DoctorOptions): Promise<DoctorReport> => {
  const { from, to, stateDir, name, topics, exclude, groups, discovery, followSymlinks, git, signal } =
    options
  const ids = await clusterIds(options)
  const ends = {
    from: { name: from.name, clusterId: ids.old },
    to: { name: to.name, clusterId: ids.next },
  }
  if (ids.old === ids.next)
    return { ...ends, topics: 0, ...told(oneCluster(options, ids.old), options.accept) }
  await using mirror = await Mirror.open({ from, to, stateDir, name, topics, exclude, groups, signal })
  const moving = mirror.plan.topics.map(({ topic }) => topic)
  const checks = await preflight({
    ...{ mirror, groups, discovery, followSymlinks, git, stateDir, signal },
    names: { old: from.name, next: to.name },
    old: from,
    next: to,
    ...{ rehearsedWithinMs: options.rehearsedWithinMs },
    ...{ hooksDir: options.hooksDir, windowMs: options.windowMs, maxFenceMs: options.maxFenceMs },
    driver: driverOf(options, mirror.source, moving),
  })
  return { ...ends, topics: moving.length, ...told(checks, options.accept) }
}

const clusterIds = async ({ from, to, signal }: DoctorOptions): Promise<{ old: string; next: string }> => {
  await using old = await Cluster.open({ ...from, signal })
  await using next = await Cluster.open({ ...to, signal })
  return { old: old.clusterId, next: next.clusterId }
}

/** The named fence, which is only looked at. */
const driverOf = (
  { fence, hooksDir, accept, signal }: DoctorOptions,
  cluster: Cluster,
  topics: readonly string[],
): FenceDriver | undefined => {
  if (fence === undefined) return undefined
  const accepted = accept.includes('fence-driver-probe') ? [PRODUCER_ERRORS] : []
  const hooks = { has: (name: string) => hasHook(hooksDir, name), run: async () => undefined }
  return driverFor(fence, { side: 'old', cluster, topics, accepted, hooks, signal })
}

const oneCluster = ({ from, to }: DoctorOptions, id: string): Outcome[] => {
  const evidence = `'${from.name}' and '${to.name}' are the same cluster, ${id}`
  const fix = 'name two different clusters with --from and --to'
  return CHECKS.map(check =>
    check === 'same-cluster-id'
      ? looked(check, [{ severity: 'error', evidence, fix }])
      : notChecked(check, 'there is only one cluster'),
  )
}

/** What became of the checks, as reports and plans tell it. */
export type Told = Pick<DoctorReport, 'findings' | 'checks'>

export const told = (checks: readonly Outcome[], accept: readonly string[]): Told => ({
  findings: checks.flatMap(each =>
    each.kind === 'looked'
      ? each.findings.map(found => ({ ...found, accepted: accept.includes(found.id) }))
      : [],
  ),
  checks: checks.map(each =>
    each.kind === 'not-checked'
      ? { id: each.id, is: 'not-checked', why: each.why }
      : { id: each.id, is: each.findings.length > 0 ? 'found' : 'ok' },
  ),
})

/** What keeps a cutover from starting. */
export const blocking = <F extends Pick<Finding, 'severity'> & { accepted: boolean }>(
  findings: readonly F[],
): F[] => findings.filter(({ severity, accepted }) => severity === 'error' && !accepted)
