import { dirname } from 'node:path'
import { KmigError } from '../kit/index.ts'
import { hidesDirectory, listFiles, openRoot, readFileIn, unreadFinding } from './files.ts'
import type { Finding } from './findings.ts'
import { lintFile } from './lint.ts'
import type { DiscoveryFile } from './parse.ts'

/** A directory of discovery files as it was read. */
export type Directory = {
  /** Real path. */
  root: string
  files: DiscoveryFile[]
  /** Every other file that can be read; searched for old hosts when a plan is made. */
  others: string[]
  /** Of all files, in the order of their paths. */
  findings: Finding[]
}

/**
 * Reads a tree of discovery files: `.git` is skipped, candidates are `*.yaml` with a top-level `clusters`.
 * Throws DISCOVERY_EMPTY when there is none. What is wrong with a file is a finding, not an error.
 */
export const readDirectory = async (
  directory: string,
  { signal }: { signal?: AbortSignal | undefined } = {},
): Promise<Directory> => {
  const root = await openRoot(directory)
  const files: DiscoveryFile[] = []
  const others: string[] = []
  const findings: Finding[] = []
  const empty: Finding[] = []
  for (const listed of await listFiles(root, signal)) {
    signal?.throwIfAborted()
    const { path } = listed
    if (await hidesDirectory(root, listed)) {
      const message = 'a symbolic link to a directory is not followed'
      findings.push({ severity: 'error', rule: 'symlink', path, line: 1, column: 1, message })
      continue
    }
    if (!path.endsWith('.yaml') && !path.endsWith('.yml')) {
      others.push(path)
      continue
    }
    const raw = await readFileIn(root, path)
    if ('why' in raw) {
      findings.push(unreadFinding(raw))
      continue
    }
    const looked = lintFile(raw)
    if (looked.kind === 'discovery' && path.endsWith('.yaml')) {
      files.push(looked.file)
      continue
    }
    others.push(path)
    if (looked.kind === 'discovery') {
      const message = 'readers take *.yaml only; this file is ignored by them and by kmig'
      findings.push({ severity: 'warning', rule: 'yml-ignored', path, line: 1, column: 1, message })
    }
    if (looked.kind === 'empty' && path.endsWith('.yaml')) empty.push(looked.finding)
  }
  // An empty file is a broken type beside discovery files, and anything at all elsewhere.
  const homes = new Set(['.', ...files.map(file => dirname(file.path))])
  findings.push(...empty.filter(f => homes.has(dirname(f.path))), ...files.flatMap(f => f.findings))
  if (files.length === 0 && !findings.some(f => f.severity === 'error')) {
    throw new KmigError(
      'DISCOVERY_EMPTY',
      `${root} holds no discovery file (*.yaml with a top-level clusters)`,
      {
        try: ['name the directory that holds <type>.yaml: --discovery DIR'],
      },
    )
  }
  return { root, files, others, findings: findings.sort(byPlace) }
}

const byPlace = (a: Finding, b: Finding): number =>
  a.path < b.path ? -1 : a.path > b.path ? 1 : a.line - b.line || a.column - b.column
