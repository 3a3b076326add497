/** What is looked at before a cutover, in the order of the report. Source: CUTOVER.md 11. */
export const CHECKS = [
  ...(['same-cluster-id', 'versions', 'offline', 'urp', 'under-min-isr', 'rf-below-min-isr-plus-1'] as const),
  ...(['unclean-election', 'rack-spread', 'reassignment-active', 'throttle-leftover'] as const),
  ...(['open-transaction', 'auto-create', 'fence-driver-probe', 'seal-passes-mirror'] as const),
  ...(['write-right-on-old', 'disk', 'clock-skew', 'acl-diff', 'allow-everyone'] as const),
  ...(['compression-not-producer', 'message-limit', 'timestamp-limits', 'producer-id-expiration'] as const),
  ...([
    'retention-race',
    'tombstone-race',
    'padding-cost',
    'partition-count',
    'topic-refused',
    'group-active',
  ] as const),
  ...(['group-unsupported', 'external-offsets', 'discovery-lint', 'git-clean', 'hooks', 'budget'] as const),
  'rehearsal-age',
] as const
export type CheckId = (typeof CHECKS)[number]

/** Something that keeps a cutover from being safe (`error`), or that the operator has to know (`warning`). */
export type Finding = {
  id: CheckId
  severity: 'error' | 'warning'
  /** What was seen, with names and numbers. */
  evidence: string
  fix: string
}

/** What became of a check. */
export type Outcome =
  | { id: CheckId; kind: 'looked'; findings: readonly Finding[] }
  | { id: CheckId; kind: 'not-checked'; why: string }

type Found = Omit<Finding, 'id'>
export const looked = (id: CheckId, found: readonly Found[] = []): Outcome => ({
  id,
  kind: 'looked',
  findings: found.map(each => ({ id, ...each })),
})
export const notChecked = (id: CheckId, why: string): Outcome => ({ id, kind: 'not-checked', why })

const SHOWN = 5
/** 'a, b, c and 3 more'. */
export const list = (names: readonly string[]): string =>
  `${names.slice(0, SHOWN).join(', ')}${names.length > SHOWN ? ` and ${names.length - SHOWN} more` : ''}`

/** The operator's own before Kafka's. */
const inOrder = (names: readonly string[]): string[] =>
  names.toSorted((a, b) => {
    const own = Number(a.startsWith('__')) - Number(b.startsWith('__'))
    return own || (a < b ? -1 : 1)
  })

/** One finding of all these names, or none. */
export const about = (
  names: readonly string[],
  { severity, evidence, fix }: Pick<Finding, 'severity' | 'fix'> & { evidence: (names: string) => string },
): Found[] => (names.length === 0 ? [] : [{ severity, evidence: evidence(list(inOrder(names))), fix }])
