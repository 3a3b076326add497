import { type During, EXIT, formatHostPort, isKmigError, KmigError } from '../kit/index.ts'
import { addressesOf, type NamedCluster } from './addresses.ts'
import { readDirectory } from './directory.ts'
import type { EditKind } from './edit-kind.ts'
import { openRoot } from './files.ts'
import { type Committed, commitWrite, gitProblems, planSha, refuseGit } from './git.ts'
import type { Mention } from './match.ts'
import { journalOf, lockDirectory, newRun } from './own-journal.ts'
import { type Plan, planEdits } from './plan.ts'
import { readTransactions } from './record.ts'
import { revert } from './revert.ts'
import { apply } from './store.ts'
import { type Recovered, recover, type WriteEvent, type Written } from './transaction.ts'

export type SetOptions = During<WriteEvent> & {
  discovery: string
  from: NamedCluster
  to: NamedCluster
  /** Instead of the zookeeper that `to` has. */
  zookeeper?: string | undefined
  /** Default: values are replaced in place. */
  kind?: EditKind | undefined
  stateDir: string
  offline?: boolean | undefined
  followSymlinks?: boolean | undefined
  acceptMentions?: readonly string[] | undefined
  git?: boolean | undefined
}

export type SetReport = Omit<Plan, 'files'> & {
  /** What keeps `--execute` from writing. */
  blockers: string[]
  /** A write of kmig that was killed; `--execute` finishes it, or takes it back, first. */
  unfinished: boolean
  planSha: string
  executed:
    | { run: string; journal: string; recovered: Recovered; written: Written; commit: Committed }
    | undefined
}

/** What `set` would write. Reads only. Throws what `planEdits` and `addressesOf` throw. */
export const planSet = async (options: SetOptions): Promise<SetReport> =>
  await report(options, await planOf(options))

const planOf = async ({
  discovery,
  from,
  to,
  zookeeper,
  kind,
  signal,
  ...more
}: SetOptions): Promise<Plan> => {
  const { offline = false, followSymlinks } = more
  const directory = await readDirectory(discovery, { signal, followSymlinks }) // needs no server: goes first
  const old = await addressesOf(from, { offline, signal })
  const next = { brokers: to.bootstrap.map(formatHostPort), zookeeper: zookeeper ?? to.zookeeper }
  if (kind?.kind === 'replace' && !kind.keys.includes('broker_list') && next.zookeeper === undefined) {
    throw new KmigError(
      'USAGE',
      `nothing is known of the zookeeper of '${to.name ?? next.brokers.join(',')}'`,
      {
        try: ['--zookeeper <connect string>', 'or name it in kmig.yaml'],
      },
    )
  }
  return await planEdits(directory, { old, next, kind, signal })
}

const report = async (options: SetOptions, { files, ...plan }: Plan): Promise<SetReport> => {
  const { stateDir, acceptMentions = [], git } = options
  const at = readTransactions(journalOf(stateDir, plan.root)).at(-1)?.at ?? 'done'
  const paths = files.map(({ path }) => path)
  return {
    ...plan,
    blockers: [
      ...mentionBlockers(plan.mentions, acceptMentions),
      ...(git ? await gitProblems(plan.root, paths) : []),
    ],
    unfinished: at !== 'done' && at !== 'undone',
    planSha: planSha(files),
    executed: undefined,
  }
}

const mentionBlockers = (mentions: readonly Mention[], accepted: readonly string[]): string[] =>
  [...Map.groupBy(mentions, ({ path }) => path)]
    .filter(([path]) => !accepted.includes(path))
    .map(
      ([path, [first]]) =>
        `${path}:${first?.line}:${first?.column} names ${first?.host} outside of any entry that changes: --accept-mention ${path}`,
    )

/**
 * Writes it: what a killed run left is settled first, the plan is made from the files as they are then. Doing it again
 * changes nothing. Throws PREFLIGHT (mentions, git), DISCOVERY_INVALID, DISCOVERY_CONFLICT, LOCKED, PARTIAL.
 */
export const executeSet = async (options: SetOptions): Promise<SetReport> => {
  const { stateDir, discovery, signal, on, git } = options
  const root = await openRoot(discovery)
  const journalDir = journalOf(stateDir, root)
  await using _ = await lockDirectory(stateDir, root)
  const recovered = await recover(journalDir)
  const plan = await planOf(options)
  const told = await report(options, plan)
  if (told.blockers.length > 0) {
    throw new KmigError('PREFLIGHT', told.blockers.join('\n'), {
      try: ['put these right, or accept what can be accepted, then run the same command again'],
    })
  }
  if (git) await refuseGit(root, [])
  const run = newRun()
  const written = await apply(plan, { journalDir, signal, on })
  const commit = git
    ? await commitWrite(journalDir, { run, what: 'kmig: discovery files name the new cluster' })
    : undefined
  return { ...told, executed: { run, journal: journalDir, recovered, written, commit } }
}

export type RevertReport = { root: string; run: string; written: Written; commit: Committed }

/** Takes the last write of `set` or of `--fix-tabs` back. Throws DISCOVERY_CONFLICT where others changed the same lines. */
export const revertSet = async (
  options: Pick<SetOptions, 'discovery' | 'stateDir' | 'signal' | 'on' | 'git'>,
): Promise<RevertReport> => {
  const { stateDir, discovery, signal, on, git } = options
  const root = await openRoot(discovery)
  const journalDir = journalOf(stateDir, root)
  await using _ = await lockDirectory(stateDir, root)
  const run = newRun()
  if (git) await refuseGit(root, [])
  const written = await revert({ journalDir, signal, on })
  const commit = git
    ? await commitWrite(journalDir, { run, what: 'kmig: discovery files as they were' })
    : undefined
  return { root, run, written, commit }
}

/** With `--check` a file that is not safe to edit is a finding, not a refusal: exit 3. */
export const asFinding = (e: unknown): unknown =>
  isKmigError(e, 'DISCOVERY_INVALID', 'DISCOVERY_NO_MATCH')
    ? new KmigError(e.code, e.message, { try: e.suggestions, exit: EXIT.difference, cause: e })
    : e
