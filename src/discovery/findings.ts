import { KmigError } from '../kit/index.ts'

/** The closed list of what lint finds. Errors keep kmig from writing anything; warnings are shown. */
export type Rule =
  | 'alias'
  | 'anchor'
  | 'broker-not-string'
  | 'chroot-not-last'
  | 'clusters-invalid'
  | 'dangling-local-config'
  | 'document-count'
  | 'duplicate-broker'
  | 'empty-broker'
  | 'encoding'
  | 'foreign-break'
  | 'hard-links'
  | 'layout'
  | 'missing-key'
  | 'name-not-string'
  | 'name-taken'
  | 'no-local-config'
  | 'no-new-entry'
  | 'not-regular'
  | 'older-dialect'
  | 'oversize'
  | 'parse'
  | 'port'
  | 'same-host'
  | 'split-zookeeper'
  | 'stray-broker'
  | 'symlink'
  | 'tab'
  | 'type-name'
  | 'unprintable'
  | 'unreadable'
  | 'value-not-string'
  | 'yaml-directive'
  | 'yml-ignored'
  | 'zookeeper-differs'
  | 'zookeeper-kept'
  | 'zookeeper-whitespace'

/** One thing that lint or a plan has to say about a file, with its place. `path` is relative to the directory. */
export type Finding = {
  severity: 'error' | 'warning'
  rule: Rule
  path: string
  line: number
  column: number
  message: string
}

/** `file:line:column: severity rule: message`, as editors take it. */
export const findingText = (f: Finding): string =>
  `${f.path}:${f.line}:${f.column}: ${f.severity} ${f.rule}: ${f.message}`

const SHOWN = 10

/** DISCOVERY_INVALID for the errors among the findings; undefined when there is none. */
export const refusal = (findings: readonly Finding[]): KmigError | undefined => {
  const errors = findings.filter(f => f.severity === 'error')
  if (errors.length === 0) return undefined
  const more = errors.length > SHOWN ? [`and ${errors.length - SHOWN} more`] : []
  return new KmigError(
    'DISCOVERY_INVALID',
    [...errors.slice(0, SHOWN).map(findingText), ...more].join('\n'),
    { try: ['put the files right; nothing was written'] },
  )
}
