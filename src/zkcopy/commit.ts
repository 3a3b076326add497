import { inFlight, isKmigError, type KmigError } from '../kit/index.ts'
import {
  CODE,
  codeError,
  MULTI_BYTES,
  multi,
  setAcl,
  type WriteOp,
  type ZkSession,
} from '../zookeeper/index.ts'
import {
  type Batch,
  type BatchLimits,
  type Change,
  opCount,
  opsOf,
  pack,
  type Step,
  stepBytes,
} from './change.ts'
import { type Pace, UNPACED } from './pace.ts'
import { type RepairOptions, repair } from './repair.ts'
import type { Tally } from './tally.ts'

/** Multis without an answer at a time. */
const WINDOW = 4

export type CommitOptions = Omit<RepairOptions, 'send'> & {
  /** The one session that writes: its requests are done in order, so a parent's multi need not be awaited. */
  session: ZkSession
  limits: BatchLimits
  /** Holds writes back; undefined lets them go as they come. */
  pace?: Pace | undefined
  /** Awaited before each batch goes out; calls are answered in their order. */
  before?: ((batch: Batch) => Promise<void>) | undefined
}

const sizeOf = ({ ops, acls }: Batch): number => ops.reduce((sum, op) => sum + opCount(op), 0) + acls.length
const bytesOf = ({ ops, acls }: Batch): number =>
  ops.reduce((sum, op) => sum + stepBytes(op), 0) +
  acls.reduce((sum, { path, acl }) => sum + path.length + acl.length, 0)

/**
 * Writes changes in their order. A batch that failed, or whose answer was lost, is put right from a fresh read before
 * the next one is looked at; those already under way may fail for lack of it, and are put right in their turn.
 * When the signal is aborted, what is outstanding is awaited first.
 */
export const commit = async (
  changes: AsyncIterable<readonly Change[]> | Iterable<readonly Change[]>,
  options: CommitOptions,
): Promise<void> => {
  const { pace = UNPACED, before, signal } = options
  const send = async (batch: Batch): Promise<Outcome> => {
    await pace.turn({ operations: sizeOf(batch), bytes: bytesOf(batch) }, signal)
    await before?.(batch)
    const sentAt = performance.now()
    const outcome = await sendBatch(batch, options)
    if (outcome.open.length === 0) pace.took(performance.now() - sentAt, sizeOf(batch))
    return outcome
  }
  for await (const outcome of inFlight(pack(changes, options.limits), WINDOW, send, signal)) {
    if (outcome.open.length > 0) await repair(outcome, { ...options, send })
  }
}

/** What of a batch is not known to be done, and why. Empty when all is done. */
export type Outcome = { open: Change[]; why: KmigError | undefined }

/** Codes that a fresh read of the znode puts right. */
const CURABLE: ReadonlySet<number> = new Set([
  CODE.NoNode,
  CODE.NodeExists,
  CODE.BadVersion,
  CODE.NotEmpty,
  CODE.RuntimeInconsistency,
  CODE.RequestTimeout,
  CODE.OperationTimeout,
  CODE.ThrottledOp,
  CODE.SessionMoved,
])

const sendBatch = async (batch: Batch, { session, tally }: CommitOptions): Promise<Outcome> => {
  const outcome: Outcome = { open: [], why: undefined }
  const lost = (changes: readonly Change[]) => (e: unknown) => {
    if (!isKmigError(e, 'DISCONNECTED')) throw e
    outcome.open.push(...changes)
    outcome.why = e
  }
  const refused = (changes: readonly Change[], culprit: Change, code: number): void => {
    outcome.why ??= codeError(code, `${culprit.kind} ${culprit.path} on the target (${session.address})`)
    if (!CURABLE.has(code)) throw outcome.why
    outcome.open.push(...changes)
  }
  const { ops } = batch
  const { writes, of } = unfolded(ops)
  const writing =
    ops.length > 0 &&
    session.call(multi, writes).then(({ code, value }) => {
      const at = value ? value.findIndex(c => c !== 0) : 0
      if (value && at < 0) return countDone(tally, ops)
      return refused(ops, of[at] as Change, value?.[at] ?? code)
    }, lost(ops))
  const setting = batch.acls.map(change =>
    session.call(setAcl, change).then(
      ({ code }) => {
        if (code === CODE.Ok) tally.aclsSet++
        else refused([change], change, code)
      },
      lost([change]),
    ),
  )
  const results = await Promise.allSettled([writing, ...setting])
  for (const result of results) if (result.status === 'rejected') throw result.reason
  return outcome
}

/** The operations of a batch, and the change that each is of. */
const unfolded = (ops: readonly Step[]): { writes: WriteOp[]; of: Step[] } => {
  const [writes, of]: [WriteOp[], Step[]] = [[], []]
  for (const step of ops) {
    for (const write of opsOf(step)) {
      writes.push(write)
      of.push(step)
    }
  }
  return { writes, of }
}

const countDone = (tally: Tally, ops: Batch['ops']): void => {
  tally.multis++
  tally.bytesWritten += MULTI_BYTES
  for (const op of ops) {
    tally.bytesWritten += stepBytes(op)
    countOne(tally, op)
  }
}

/** Counts a change as done. */
export const countOne = (tally: Tally, change: Change): void => {
  switch (change.kind) {
    case 'create':
      tally.created++
      return
    case 'set':
    case 'remake':
      tally.updated++
      return
    case 'delete':
      tally.deleted++
      return
    case 'acl':
      tally.aclsSet++
      return
    default:
      change satisfies never
  }
}
