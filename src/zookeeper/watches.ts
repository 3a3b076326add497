import { type Reader, Writer } from '../wire/index.ts'
import type { Operation } from './operations.ts'

/** What a watch tells: never the data. Source: org.apache.zookeeper.Watcher.Event.EventType, WatcherEvent. */
export type WatchEvent = { kind: 'created' | 'deleted' | 'data' | 'children' | 'other'; path: string }
const KINDS = new Map<number, WatchEvent['kind']>([
  [1, 'created'],
  [2, 'deleted'],
  [3, 'data'],
  [4, 'children'],
])

export const readWatchEvent = (from: Reader): WatchEvent => {
  const kind = KINDS.get(from.int32()) ?? 'other'
  from.int32()
  return { kind, path: from.string32() }
}

const RECURSIVE = 1
/**
 * A watch of a znode and all below it that stays until the session ends: created, deleted, data. Servers from 3.6; older
 * ones answer Unimplemented. Source: AddWatchRequest, AddWatchMode.
 */
export const addWatch: Operation<{ path: string }, void> = {
  name: 'addWatch',
  opcode: 106,
  repeatable: true,
  write: (to, { path }) => to.string32(path).int32(RECURSIVE),
  read: () => {},
}

export const OP_SET_WATCHES2 = 105
/** The server takes no larger request than jute.maxbuffer; ordinary clients keep to this. Source: ClientCnxn. */
const SET_WATCHES_BYTES = 128 << 10

/** Bodies of the requests that set these watches anew on another connection. Nothing that was missed is told. */
export function* setWatches(paths: Iterable<string>, seen: bigint): Generator<Buffer, void> {
  const body = (some: readonly string[]): Buffer => {
    const to = new Writer(64).int64(seen).int32(0).int32(0).int32(0).int32(0)
    return to.array32(some, path => to.string32(path)).toBuffer()
  }
  let some: string[] = []
  let bytes = 0
  for (const path of paths) {
    const more = 4 + Buffer.byteLength(path)
    if (some.length > 0 && bytes + more > SET_WATCHES_BYTES) {
      yield body(some)
      some = []
      bytes = 0
    }
    some.push(path)
    bytes += more
  }
  if (some.length > 0) yield body(some)
}
