import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { KmigError, messageOf } from '../kit/index.ts'
import { sha256 } from './edit.ts'
import { readFileIn } from './files.ts'
import { readTransactions, type StagedChange, storedPath } from './record.ts'

const run = promisify(execFile)
const LIMITS = { maxBuffer: 16 << 20, timeout: 120_000 } as const

/** No shell, no prompt, and names are names, not patterns. */
const git = async (root: string, args: readonly string[]): Promise<Buffer> => {
  const all = ['--literal-pathspecs', '-C', root, ...args]
  const { stdout } = await run('git', all, { ...LIMITS, encoding: 'buffer' })
  return stdout
}
const text = async (root: string, ...args: string[]): Promise<string> =>
  (await git(root, args)).toString().trimEnd()
const succeeds = (root: string, ...args: string[]): Promise<boolean> =>
  git(root, args).then(
    () => true,
    () => false,
  )

/** What lies in git's own directory while something is under way. */
const UNDER_WAY: Readonly<Record<string, string>> = {
  MERGE_HEAD: 'a merge',
  'rebase-merge': 'a rebase',
  'rebase-apply': 'a rebase',
  CHERRY_PICK_HEAD: 'a cherry-pick',
  REVERT_HEAD: 'a revert',
  BISECT_LOG: 'a bisect',
}

/** Why these files can't be committed alone; empty when they can. Reads only. Source: DISCOVERY.md 6.8. */
export const gitProblems = async (root: string, paths: readonly string[]): Promise<string[]> => {
  if (!(await succeeds(root, 'rev-parse', '--is-inside-work-tree'))) return [`${root} is in no git work tree`]
  const gitDir = resolve(root, await text(root, 'rev-parse', '--git-dir'))
  const found: string[] = []
  if (!(await succeeds(root, 'symbolic-ref', '-q', 'HEAD')))
    found.push('HEAD is detached: a commit would belong to no branch')
  for (const [name, what] of Object.entries(UNDER_WAY))
    if (existsSync(join(gitDir, name))) found.push(`${what} is under way`)
  if (paths.length === 0) return found
  const tracked = new Set((await text(root, 'ls-files', '-z', '--', ...paths)).split('\0'))
  found.push(...paths.filter(path => !tracked.has(path)).map(path => `${path} is not tracked`))
  const dirty = (await text(root, 'status', '--porcelain', '-z', '--no-renames', '--', ...paths)).split('\0')
  found.push(
    ...dirty
      .filter(line => line !== '' && !line.startsWith('??'))
      .map(line => `${line.slice(3)} has changes that are not committed`),
  )
  return found
}

/** Throws PREFLIGHT with all that keeps the files from being committed. */
export const refuseGit = async (root: string, paths: readonly string[]): Promise<void> => {
  const found = await gitProblems(root, paths)
  if (found.length === 0) return
  throw new KmigError('PREFLIGHT', found.join('\n'), {
    try: ['commit or stash these changes, be on a branch', 'or leave --git away; nothing was written'],
  })
}

/** A commit of what kmig wrote; undefined when there was nothing left to commit. */
export type Committed = { commit: string; branch: string; paths: string[] } | undefined

/** One hash for what a write is to do: the same plan gives the same one. */
export const planSha = (changes: readonly { path: string; shaBefore: string; shaAfter: string }[]): string =>
  sha256(
    Buffer.from(JSON.stringify(changes.map(({ path, shaBefore, shaAfter }) => [path, shaBefore, shaAfter]))),
  )

/**
 * Commits the last write of a run: only its files, only where HEAD still holds what was there before. So a run that was
 * killed between the write and the commit commits when it is started again, and a second time nothing. Never pushes.
 * Throws PARTIAL when git refuses (a hook, a missing identity): the files are written then.
 */
export const commitWrite = async (
  journalDir: string,
  { run: id, what }: { run: string; what: string },
): Promise<Committed> => {
  const last = readTransactions(journalDir).findLast(({ at }) => at === 'done')
  if (!last) return undefined
  const { root, changes } = last
  const mine: StagedChange[] = []
  for (const change of changes) if (await isMine(journalDir, root, change)) mine.push(change)
  if (mine.length === 0) return undefined
  const paths = mine.map(({ path }) => path)
  const message = `${what}\n\nKmig-Run: ${id}\nKmig-Plan-Sha: ${planSha(changes)}\n`
  try {
    await refuseUnderWay(root)
    await git(root, ['commit', '--quiet', '--only', '--message', message, '--', ...paths])
    const commit = await text(root, 'rev-parse', 'HEAD')
    return { commit, branch: await text(root, 'symbolic-ref', '--short', 'HEAD'), paths }
  } catch (cause) {
    const { stderr } = cause as { stderr?: Buffer }
    const why = stderr?.toString().trim() || messageOf(cause)
    throw new KmigError('PARTIAL', `the files are written, but git did not commit them: ${why}`, {
      try: ['put that right, then run the same command again', `or commit by hand: ${paths.join(' ')}`],
      cause,
    })
  }
}

const refuseUnderWay = async (root: string): Promise<void> => {
  const found = await gitProblems(root, [])
  if (found.length > 0) throw new KmigError('PREFLIGHT', found.join('; '))
}

/** On disk as kmig wrote it, in HEAD as it was before (through git's own filters): the difference is kmig's own. */
const isMine = async (
  journalDir: string,
  root: string,
  { path, shaBefore, shaAfter }: StagedChange,
): Promise<boolean> => {
  const raw = await readFileIn(root, path)
  if ('why' in raw || raw.sha !== shaAfter) return false
  const [prefix, head] = [
    await text(root, 'rev-parse', '--show-prefix'),
    await text(root, 'rev-parse', '--verify', '--quiet', `HEAD:./${path}`).catch(() => ''),
  ]
  const top = resolve(root, await text(root, 'rev-parse', '--show-toplevel'))
  const stored = resolve(storedPath(journalDir, shaBefore))
  return head !== '' && head === (await text(top, 'hash-object', `--path=${prefix}${path}`, '--', stored))
}
