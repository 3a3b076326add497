/**
 * One thing that the source has, and what becomes of it. `changed`: it is on the target in another form, for the reason.
 * `refused`: it can't be copied. `excluded`: a flag leaves it out. `extra`: the target has it and the source does not;
 * such things are listed and never deleted.
 */
export type Entry = {
  kind: EntryKind
  name: string
  outcome: 'copied' | 'changed' | 'refused' | 'excluded' | 'extra'
  why?: string | undefined
}
export const ENTRY_KINDS = [
  ...(['topic', 'config', 'group', 'acl', 'quota', 'user', 'broker-config', 'delegation-tokens'] as const),
  ...(['client-metrics', 'group-config', 'transactional-id'] as const),
]
export type EntryKind = (typeof ENTRY_KINDS)[number]

/** What is copied, apart from records and group offsets. Those two come by default; ACLs and quotas where they are asked for. */
export const SYNC = ['topics', 'configs', 'acls', 'quotas'] as const
export type Sync = (typeof SYNC)[number]
export const SYNC_DEFAULT: readonly Sync[] = ['topics', 'configs']

/** What a cluster tells about one kind of thing. */
export type Found<T> =
  | { kind: 'found'; items: readonly T[] }
  /** There can be none, for this reason. */
  | { kind: 'none'; why: string }
  /** It does not tell, for this reason. */
  | { kind: 'unknown'; why: string }
