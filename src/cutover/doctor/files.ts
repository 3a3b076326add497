import { gitProblems, lintDirectory, type Plan, planEdits, readDirectory } from '../../discovery/index.ts'
import { type During, formatHostPort, type HostPort } from '../../kit/index.ts'
import { type Facts, tried } from './facts.ts'
import { about, type Finding, looked, notChecked, type Outcome } from './finding.ts'

type Found = Omit<Finding, 'id'>

export type FileOptions = During & {
  discovery?: string | undefined
  followSymlinks?: boolean | undefined
  git?: boolean | undefined
  stateDir: string
  old: { bootstrap: readonly HostPort[]; zookeeper?: string | undefined }
  next: { bootstrap: readonly HostPort[]; zookeeper?: string | undefined }
}

/** The discovery files, and whether what is written can be committed. */
export const fileChecks = async ({ old }: Facts, options: FileOptions): Promise<Outcome[]> => {
  const { discovery, followSymlinks, stateDir, signal } = options
  if (discovery === undefined) {
    const why = 'no directory of discovery files was named (--discovery)'
    return [notChecked('discovery-lint', why), notChecked('git-clean', why)]
  }
  const lint = await tried(() => lintDirectory({ discovery, followSymlinks, stateDir, signal }), { signal })
  if (lint.kind === 'unseen') {
    const found: Found = {
      severity: 'error',
      evidence: lint.why,
      fix: 'name the directory of discovery files: --discovery',
    }
    return [looked('discovery-lint', [found]), notChecked('git-clean', 'the files can not be read')]
  }
  const rows = (severity: Finding['severity']) =>
    lint.value.findings
      .filter(each => each.severity === severity)
      .map(({ path, line, column, rule }) => `${path}:${line}:${column} ${rule}`)
  const fix = 'kmig discovery lint tells more'
  const found = (['error', 'warning'] as const).flatMap(severity =>
    about(rows(severity), {
      severity,
      evidence: names => `discovery files have ${severity}s: ${names}`,
      fix,
    }),
  )
  const plan = await tried(() => planOf(discovery, old.cluster.brokers.values(), options), { signal })
  const unplanned: Found[] =
    plan.kind === 'unseen' && rows('error').length === 0
      ? [{ severity: 'error', evidence: plan.why, fix: 'see kmig discovery show' }]
      : []
  return [looked('discovery-lint', [...found, ...unplanned]), await gitClean(plan, options)]
}

const planOf = async (
  discovery: string,
  brokers: Iterable<HostPort>,
  { followSymlinks, signal, old, next }: FileOptions,
): Promise<Plan> => {
  const addresses = [...old.bootstrap, ...brokers].map(formatHostPort)
  return await planEdits(await readDirectory(discovery, { signal, followSymlinks }), {
    old: { brokers: [...new Set(addresses)], zookeeper: old.zookeeper },
    next: { brokers: next.bootstrap.map(formatHostPort), zookeeper: next.zookeeper },
    signal,
  })
}

type Planned = Awaited<ReturnType<typeof tried<Plan>>>
const gitClean = async (plan: Planned, { git, signal }: FileOptions): Promise<Outcome> => {
  if (!git) return notChecked('git-clean', 'without --git nothing is committed')
  if (plan.kind === 'unseen') return notChecked('git-clean', plan.why)
  const { root, files } = plan.value
  const seen = await tried(
    () =>
      gitProblems(
        root,
        files.map(({ path }) => path),
      ),
    { signal },
  )
  if (seen.kind === 'unseen') return notChecked('git-clean', seen.why)
  return looked(
    'git-clean',
    about(seen.value, {
      severity: 'error',
      evidence: names => `the files can't be committed alone: ${names}`,
      fix: 'commit or stash these changes, be on a branch; or leave --git away',
    }),
  )
}
