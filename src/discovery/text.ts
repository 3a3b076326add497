import { plural } from '../kit/index.ts'
import { findingText } from './findings.ts'
import type { LintReport } from './lint-report.ts'
import type { RevertReport, SetReport } from './set.ts'
import type { ShowReport } from './show.ts'

const columns = (rows: readonly (readonly string[])[]): string[] => {
  const widths = rows[0]?.map((_, i) => Math.max(...rows.map(row => row[i]?.length ?? 0))) ?? []
  return rows.map(row =>
    row
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join('  ')
      .trimEnd(),
  )
}

export const lintText = ({ root, files, entries, errors, warnings, fixed }: LintReport): string =>
  [
    ...(fixed?.refused ?? []).map(({ path, why }) => `tabs left in ${path}: ${why}`),
    ...(fixed ? [`tabs became spaces in ${plural(fixed.written.changed.length, 'file')}`] : []),
    `${root}: ${plural(files, 'file')}, ${plural(entries, 'entry').replace('entrys', 'entries')}: ${plural(errors, 'error')}, ${plural(warnings, 'warning')}`,
  ].join('\n')

/** `file:line:column` first, for editors; the rest in columns. */
export const lintData = ({ findings, fixed }: LintReport): string =>
  [
    ...(fixed && fixed.diff !== '' ? [fixed.diff.trimEnd()] : []),
    ...columns(findings.map(f => [`${f.path}:${f.line}:${f.column}`, f.severity, f.rule, f.message])),
  ].join('\n')

export const showText = ({ lookup, entries, mentions, findings }: ShowReport): string => {
  const compared = entries.some(({ names }) => names !== undefined)
  return [
    'directories, in the order of the lookup:',
    ...columns(
      lookup.directories.map(({ path, why, found, types }) => [
        `  ${path}`,
        why === path ? '' : why,
        found ? plural(types.length, 'type') : 'not there',
      ]),
    ),
    ...lookup.types
      .filter(({ hits }) => hits.length > 1)
      .flatMap(({ type, hits, byName, inList }) => [
        `type ${type} is in ${hits.length} directories: ${hits.join(', ')}`,
        `  asked for by name: ${byName}`,
        `  in the list of all types: ${inList}`,
      ]),
    `without a type: ${lookup.withoutType ?? 'no directory holds exactly one file'}`,
    ...findings.map(findingText),
    ...mentions.map(
      ({ path, line, column, host }) =>
        `${path}:${line}:${column}: names ${host} of the old cluster outside of any entry that matches`,
    ),
    ...(compared ? [] : ['no cluster to compare with: --from and --to tell which entries name it']),
  ].join('\n')
}

export const showData = ({ entries }: ShowReport): string =>
  columns([
    ['TYPE', 'CLUSTER', 'NAMES', 'BROKERS', 'ZOOKEEPER', 'AT'],
    ...entries.map(e => [
      e.type,
      e.cluster,
      e.names ?? '-',
      e.brokers.join(','),
      e.zookeeper ?? '-',
      `${e.file}:${e.line}`,
    ]),
  ]).join('\n')

export const setText = ({
  entries,
  findings,
  mentions,
  blockers,
  unfinished,
  executed,
  root,
}: SetReport): string => {
  const [change, already] = [
    entries.filter(({ is }) => is === 'change'),
    entries.filter(({ is }) => is === 'already'),
  ]
  const done = executed?.written.changed.length ?? 0
  const commit = executed?.commit
  return [
    ...findings.map(findingText),
    ...mentions.map(
      ({ path, line, column, host }) =>
        `${path}:${line}:${column}: names ${host} outside of any entry that changes`,
    ),
    `${change.length} of ${entries.length} matching entries ${executed ? 'were to change' : 'would change'}, ${already.length} are as they shall be (${root})`,
    ...blockers.map(blocker => `blocked: ${blocker}`),
    ...(unfinished && !executed
      ? ['an earlier write was killed; --execute finishes it, or takes it back, first']
      : []),
    ...(executed && executed.recovered !== 'nothing'
      ? [`an earlier write that was killed is ${executed.recovered}`]
      : []),
    ...(executed
      ? [
          done > 0
            ? `wrote ${plural(done, 'file')}; clients read them when they restart`
            : 'nothing was left to write',
          ...(commit
            ? [`committed ${commit.commit.slice(0, 12)} on ${commit.branch}: ${commit.paths.join(' ')}`]
            : []),
          ...(done > 0 ? ['to go back: the same command with --revert'] : []),
        ]
      : change.length > 0
        ? ['nothing was written: --execute does it']
        : []),
  ].join('\n')
}

export const revertText = ({ root, written, commit }: RevertReport): string =>
  [
    written.changed.length > 0
      ? `restored under ${root}: ${written.changed.join(', ')}`
      : `nothing to take back under ${root}`,
    ...(commit ? [`committed ${commit.commit.slice(0, 12)} on ${commit.branch}`] : []),
  ].join('\n')
