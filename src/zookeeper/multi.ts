import type { Reader, Writer } from '../wire/index.ts'
import type { Answer } from './codes.ts'
import {
  type CreateRequest,
  check,
  create,
  createContainer,
  createTtl,
  type DataReply,
  getChildren,
  getData,
  type Operation,
  remove,
  type SetRequest,
  setData,
  type VersionRequest,
  type ZnodeType,
} from './operations.ts'

export type WriteOp =
  | ({ kind: 'create'; type?: ZnodeType | undefined } & CreateRequest)
  | ({ kind: 'set' } & SetRequest)
  | ({ kind: 'delete' } & VersionRequest)
  | ({ kind: 'check' } & VersionRequest)

const HEADER_BYTES = 9
/** Type of the result of every creation that answers with a Stat too. Source: OpResult.CreateResult. */
const CREATE2 = 15
const END: readonly [number, boolean, number] = [-1, true, -1]
const header = (to: Writer, [type, done, err]: readonly [number, boolean, number]) =>
  to.int32(type).bool(done).int32(err)

const writeOp = (to: Writer, op: WriteOp): unknown => {
  const part = <T>(operation: Operation<T, unknown>, request: T): unknown => {
    header(to, [operation.opcode, false, -1])
    return operation.write(to, request)
  }
  switch (op.kind) {
    case 'create':
      if (op.type?.kind === 'ttl') return part(createTtl, { ...op, ttlMs: op.type.ms })
      return part(op.type ? createContainer : create, op)
    case 'set':
      return part(setData, op)
    case 'delete':
      return part(remove, op)
    case 'check':
      return part(check, op)
    default:
      return op satisfies never
  }
}

/** Bytes that an operation takes in a multi. */
export const opBytes = (op: WriteOp): number => {
  const path = HEADER_BYTES + 4 + Buffer.byteLength(op.path)
  switch (op.kind) {
    case 'create':
      return path + 4 + (op.data?.length ?? 0) + op.acl.length + (op.type?.kind === 'ttl' ? 12 : 4)
    case 'set':
      return path + 4 + (op.data?.length ?? 0) + 4
    case 'delete':
    case 'check':
      return path + 4
    default:
      return op satisfies never
  }
}
/** Bytes of a multi around its operations: frame, request header, end mark. */
export const MULTI_BYTES = 4 + 8 + HEADER_BYTES

const readResults = function* (from: Reader): Generator<number> {
  for (;;) {
    const type = from.int32()
    const done = from.bool()
    from.int32()
    if (done) return
    yield type
  }
}

/**
 * All or nothing, one zxid. The reply holds a code per operation: all 0, or 0 for those before the culprit, the
 * culprit's own code, and -2 for those after it. Source: MultiOperationRecord, MultiResponse.
 */
export const multi: Operation<readonly WriteOp[], number[]> = {
  name: 'multi',
  opcode: 14,
  repeatable: false,
  write: (to, ops) => {
    for (const op of ops) writeOp(to, op)
    header(to, END)
  },
  read: from => {
    const codes: number[] = []
    for (const type of readResults(from)) {
      codes.push(type === -1 ? from.int32() : 0)
      if (type === create.opcode) create.read(from)
      else if (type === CREATE2) createContainer.read(from)
      else if (type === setData.opcode) setData.read(from)
    }
    return codes
  },
}

export type ReadOp = { kind: 'data' | 'children'; path: string }
export type ReadReply = Answer<DataReply | string[]>
/** Data or children of many znodes in one request; each has its own code. Servers from 3.6. */
export const multiRead: Operation<readonly ReadOp[], ReadReply[]> = {
  name: 'multiRead',
  opcode: 22,
  repeatable: true,
  write: (to, ops) => {
    for (const { kind, path } of ops) {
      const operation = kind === 'data' ? getData : getChildren
      header(to, [operation.opcode, false, -1])
      operation.write(to, { path })
    }
    header(to, END)
  },
  read: from => {
    const replies: ReadReply[] = []
    for (const type of readResults(from)) {
      if (type === -1) replies.push({ code: from.int32() })
      else if (type === getData.opcode) replies.push({ code: 0, value: getData.read(from) })
      else if (type === getChildren.opcode) replies.push({ code: 0, value: getChildren.read(from) })
      else throw from.fail(`a result of operation ${type} in multiRead`)
    }
    return replies
  },
}
