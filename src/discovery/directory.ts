import { dirname } from 'node:path'
import { KmigError } from '../kit/index.ts'
import { endOfLink, hidesDirectory, listFiles, openRoot, readFileIn, unreadFinding } from './files.ts'
import type { Finding } from './findings.ts'
import { lintFile } from './lint.ts'
import { type DiscoveryFile, typeOf } from './parse.ts'

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

export type ReadOptions = {
  signal?: AbortSignal | undefined
  /** Takes links to files inside the root for those files, by the type that the link names. Default: links are errors. */
  followSymlinks?: boolean | undefined
}

/**
 * Reads a tree of discovery files: `.git` is skipped, candidates are `*.yaml` with a top-level `clusters`.
 * Throws DISCOVERY_EMPTY when there is none. What is wrong with a file is a finding, not an error.
 */
export const readDirectory = async (
  directory: string,
  { signal, followSymlinks = false }: ReadOptions = {},
): Promise<Directory> => {
  const root = await openRoot(directory)
  const files: DiscoveryFile[] = []
  const others: string[] = []
  const findings: Finding[] = []
  const empty: Finding[] = []
  const listing = await listFiles(root, signal)
  const seen = new Set(listing.filter(({ link }) => !link).map(({ path }) => path))
  for (const listed of listing) {
    signal?.throwIfAborted()
    let { path } = listed
    const named = path
    if (followSymlinks && listed.link) {
      const end = await endOfLink(root, path)
      if (end.kind === 'directory') continue // its files are read where they are
      if (end.kind === 'refused') {
        const severity = path.endsWith('.yaml') ? 'error' : 'warning'
        findings.push({ severity, rule: 'symlink', path, line: 1, column: 1, message: `the link ${end.why}` })
        continue
      }
      const twice = seen.has(end.path) && (end.path.endsWith('.yaml') || !path.endsWith('.yaml'))
      if (twice || !path.endsWith('.yaml')) continue
      path = end.path
      seen.add(path)
    } else if (await hidesDirectory(root, listed)) {
      const message = 'a symbolic link to a directory is not followed'
      findings.push({ severity: 'error', rule: 'symlink', path, line: 1, column: 1, message })
      continue
    }
    if (!named.endsWith('.yaml') && !named.endsWith('.yml')) {
      others.push(path)
      continue
    }
    const raw = await readFileIn(root, path)
    if ('why' in raw) {
      findings.push(unreadFinding(raw))
      continue
    }
    const looked = lintFile(raw)
    if (looked.kind === 'discovery' && named.endsWith('.yaml')) {
      files.push(named === path ? looked.file : { ...looked.file, type: typeOf(named) })
      continue
    }
    others.push(path)
    if (looked.kind === 'discovery') {
      const message = 'readers take *.yaml only; this file is ignored by them and by kmig'
      findings.push({ severity: 'warning', rule: 'yml-ignored', path, line: 1, column: 1, message })
    }
    if (looked.kind === 'empty' && named.endsWith('.yaml')) empty.push(looked.finding)
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
  // A file that a link gives a type was met under its own name too.
  const read = new Set(files.map(({ path }) => path))
  return {
    root,
    files,
    others: others.filter(path => !read.has(path)),
    findings: findings.sort(byPlace),
  }
}

const byPlace = (a: Finding, b: Finding): number =>
  a.path < b.path ? -1 : a.path > b.path ? 1 : a.line - b.line || a.column - b.column
