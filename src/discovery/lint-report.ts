import type { During } from '../kit/index.ts'
import { type Directory, readDirectory } from './directory.ts'
import { openRoot } from './files.ts'
import type { Finding } from './findings.ts'
import { fixTabs, type TabFixes } from './fix-tabs.ts'
import { journalOf, lockDirectory } from './own-journal.ts'
import { apply } from './store.ts'
import { recover, type Written } from './transaction.ts'

export type LintOptions = Pick<During, 'signal'> & {
  discovery: string
  followSymlinks?: boolean | undefined
  /** Writes spaces for tabs; the originals are kept in the state directory. */
  fixTabs?: boolean | undefined
  stateDir: string
}

export type LintReport = {
  root: string
  files: number
  entries: number
  errors: number
  warnings: number
  findings: Finding[]
  fixed: { diff: string; written: Written; refused: TabFixes['refused'] } | undefined
}

/** What is wrong with a directory of discovery files; with `fixTabs` after the tabs are gone. Throws DISCOVERY_EMPTY. */
export const lintDirectory = async (options: LintOptions): Promise<LintReport> => {
  const { discovery, followSymlinks, signal } = options
  const fixed = options.fixTabs ? await fix(options) : undefined
  return { ...count(await readDirectory(discovery, { followSymlinks, signal })), fixed }
}

const count = ({ root, files, findings }: Directory): Omit<LintReport, 'fixed'> => ({
  root,
  files: files.length,
  entries: files.reduce((sum, { entries }) => sum + entries.length, 0),
  errors: findings.filter(({ severity }) => severity === 'error').length,
  warnings: findings.filter(({ severity }) => severity === 'warning').length,
  findings,
})

const fix = async ({
  discovery,
  followSymlinks,
  stateDir,
  signal,
}: LintOptions): Promise<LintReport['fixed']> => {
  const root = await openRoot(discovery)
  const journalDir = journalOf(stateDir, root)
  await using _ = await lockDirectory(stateDir, root)
  await recover(journalDir)
  const { files, diff, refused } = fixTabs(await readDirectory(discovery, { followSymlinks, signal }))
  return { diff, refused, written: await apply({ root, files }, { journalDir, signal }) }
}
