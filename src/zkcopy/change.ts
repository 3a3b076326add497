import { type Acl, MULTI_BYTES, opBytes, type WriteOp, type ZnodeType } from '../zookeeper/index.ts'

/** dataVersion that the copy must have; undefined: any. */
type UpTo = { upTo?: number | undefined }
/** What a znode of the target must become. `path` is absolute on the target; `version` and `aversion` are what was read there. */
export type Change =
  | ({ kind: 'create'; path: string; data: Buffer | null; acl: Acl; type?: ZnodeType | undefined } & UpTo)
  /** `foreign`: what stands there now was written by somebody else under the copy. */
  | ({
      kind: 'set'
      path: string
      data: Buffer | null
      version: number
      acl: Acl
      foreign?: boolean | undefined
    } & UpTo)
  /** Deleted and created in one step, which alone lowers a version. */
  | ({
      kind: 'remake'
      path: string
      data: Buffer | null
      version: number
      acl: Acl
      type?: ZnodeType | undefined
    } & UpTo)
  | { kind: 'acl'; path: string; acl: Acl; aversion: number }
  | { kind: 'delete'; path: string; version: number }
/** What a multi can do. */
export type Step = Exclude<Change, { kind: 'acl' }>

/** What goes out together: one multi, and the ACLs after it (a multi takes no setACL). */
export type Batch = { ops: Step[]; acls: Extract<Change, { kind: 'acl' }>[] }
export type BatchLimits = {
  /** Operations per multi, 1-1000. */
  ops: number
  /** Encoded bytes per multi; one operation may be larger, and goes alone. */
  bytes: number
}

/**
 * The operations of a change. A version is replayed by as many writes; between them the data is absent, which nobody
 * sees, as a multi is one step.
 */
export const opsOf = (step: Step): WriteOp[] => {
  switch (step.kind) {
    case 'create': {
      const { path, data, upTo = 0 } = step
      return upTo === 0 ? [step] : [{ ...step, data: null }, ...sets(path, data, upTo)]
    }
    case 'set': {
      const { path, data, version, upTo = version + 1 } = step
      const [first, ...more] = sets(path, data, Math.max(1, upTo - version))
      return first ? [{ ...first, version }, ...more] : []
    }
    case 'remake': {
      const { path, version } = step
      return [{ kind: 'delete', path, version }, ...opsOf({ ...step, kind: 'create' })]
    }
    case 'delete':
      return [step]
    default:
      return step satisfies never
  }
}

const sets = (path: string, data: Buffer | null, count: number): Extract<WriteOp, { kind: 'set' }>[] =>
  Array.from({ length: count }, (_, i) => ({
    ...{ kind: 'set', path, data: i === count - 1 ? data : null, version: -1 },
  }))

/** How many operations a change takes. */
export const opCount = (step: Step): number => {
  if (step.kind === 'create') return 1 + (step.upTo ?? 0)
  if (step.kind === 'set') return Math.max(1, (step.upTo ?? 0) - step.version)
  return step.kind === 'remake' ? 2 + (step.upTo ?? 0) : 1
}

/** Bytes that a change takes in a multi. */
export const stepBytes = (step: Step): number => {
  if (step.kind === 'remake') {
    const { path, version } = step
    return opBytes({ kind: 'delete', path, version }) + stepBytes({ ...step, kind: 'create' })
  }
  const count = opCount(step)
  return opBytes(step) + (count === 1 ? 0 : (count - 1) * bareBytes(step))
}

/** Bytes of a write without data. */
const bareBytes = ({ path }: Step): number => opBytes({ kind: 'set', path, data: null, version: 0 })

/** A change of more operations than one multi takes, as changes that take one each, one after the other. */
export function* pieces(step: Step, { ops, bytes }: BatchLimits): Generator<Step, void> {
  if (step.kind === 'delete') return yield step
  const { path, data, acl, upTo = 0 } = step
  const alone = opBytes({ kind: 'create', path, data, acl })
  const room = Math.floor((bytes - MULTI_BYTES - alone) / bareBytes(step))
  const most = Math.max(1, Math.min(ops, room))
  let at = step.kind === 'set' ? Math.min(upTo, step.version + most) : Math.min(upTo, Math.max(0, most - 2))
  yield { ...step, upTo: at }
  while (at < upTo) {
    const next = Math.min(upTo, at + most)
    yield { kind: 'set', path, data, acl, version: at, upTo: next }
    at = next
  }
}

/** Packs changes in their order into multis within both limits. */
export async function* pack(
  changes: AsyncIterable<readonly Change[]> | Iterable<readonly Change[]>,
  limits: BatchLimits,
): AsyncGenerator<Batch, void> {
  let batch: Batch = { ops: [], acls: [] }
  let [count, bytes] = [0, MULTI_BYTES]
  const take = (): Batch => {
    const full = batch
    batch = { ops: [], acls: [] }
    count = 0
    bytes = MULTI_BYTES
    return full
  }
  for await (const some of changes) {
    for (const change of some) {
      if (change.kind === 'acl') {
        batch.acls.push(change)
        continue
      }
      for (const step of opCount(change) === 1 ? [change] : pieces(change, limits)) {
        const [more, moreBytes] = [opCount(step), stepBytes(step)]
        if (count > 0 && (count + more > limits.ops || bytes + moreBytes > limits.bytes)) yield take()
        batch.ops.push(step)
        count += more
        bytes += moreBytes
      }
    }
    if (batch.acls.length >= limits.ops) yield take()
  }
  if (batch.ops.length + batch.acls.length > 0) yield take()
}
