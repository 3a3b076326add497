import { type Acl, MULTI_BYTES, opBytes, type WriteOp } from '../zookeeper/index.ts'

/** What a znode of the target must become. `path` is absolute on the target; `version` and `aversion` are what was read there. */
export type Change =
  | { kind: 'create'; path: string; data: Buffer | null; acl: Acl }
  | { kind: 'set'; path: string; data: Buffer | null; version: number; acl: Acl }
  | { kind: 'acl'; path: string; acl: Acl; aversion: number }
  | { kind: 'delete'; path: string; version: number }

/** What goes out together: one multi, and the ACLs after it (a multi takes no setACL). */
export type Batch = { ops: Exclude<Change, { kind: 'acl' }>[]; acls: Extract<Change, { kind: 'acl' }>[] }
export type BatchLimits = {
  /** Operations per multi, 1-1000. */
  ops: number
  /** Encoded bytes per multi; one operation may be larger, and goes alone. */
  bytes: number
}

/** Packs changes in their order into multis within both limits. */
export async function* pack(
  changes: AsyncIterable<readonly Change[]> | Iterable<readonly Change[]>,
  limits: BatchLimits,
): AsyncGenerator<Batch, void> {
  let batch: Batch = { ops: [], acls: [] }
  let bytes = MULTI_BYTES
  for await (const some of changes) {
    for (const change of some) {
      if (change.kind === 'acl') {
        batch.acls.push(change)
        continue
      }
      const more = opBytes(change satisfies WriteOp)
      const full = batch.ops.length >= limits.ops || bytes + more > limits.bytes
      if (full && batch.ops.length > 0) {
        yield batch
        batch = { ops: [], acls: [] }
        bytes = MULTI_BYTES
      }
      batch.ops.push(change)
      bytes += more
    }
    if (batch.acls.length >= limits.ops) {
      yield batch
      batch = { ops: [], acls: [] }
      bytes = MULTI_BYTES
    }
  }
  if (batch.ops.length + batch.acls.length > 0) yield batch
}
