import type { Reader, Writer } from '../wire/index.ts'
import type { Acl } from './acl.ts'
import { STAT_BYTES, Stat } from './stat.ts'

/**
 * One row of the protocol: how a request is written and its reply read. `repeatable` requests change nothing, so a
 * session sends them again by itself after a lost connection. Source: zookeeper.jute, ZooDefs.OpCode.
 */
export type Operation<Request, Reply> = {
  name: string
  opcode: number
  repeatable: boolean
  write(to: Writer, request: Request): unknown
  read(from: Reader): Reply
}

export const readStat = (from: Reader): Stat => {
  if (from.left < STAT_BYTES)
    throw from.fail(`a Stat of ${STAT_BYTES} bytes is wanted, ${from.left} are left,`)
  const stat = new Stat(from.buffer, from.position)
  from.position += STAT_BYTES
  return stat
}
const nothing = (): void => {}

type At = { path: string }
export type DataReply = { data: Buffer | null; stat: Stat }
export const getData: Operation<At, DataReply> = {
  name: 'getData',
  opcode: 4,
  repeatable: true,
  write: (to, { path }) => to.string32(path).bool(false),
  read: from => ({ data: from.nullableBytes32(), stat: readStat(from) }),
}
export const exists: Operation<At, Stat> = {
  name: 'exists',
  opcode: 3,
  repeatable: true,
  write: getData.write,
  read: readStat,
}
/** Leaves a watch of one event, also where nothing stands yet. */
export const existsWatched: Operation<At, Stat> = {
  ...exists,
  write: (to, { path }) => to.string32(path).bool(true),
}
export const getChildren: Operation<At, string[]> = {
  name: 'getChildren',
  opcode: 8,
  repeatable: true,
  write: getData.write,
  read: from => from.array32(() => from.string32()),
}
/** How many znodes there are below one, at any depth. Servers from 3.6. */
export const countBelow: Operation<At, number> = {
  name: 'getAllChildrenNumber',
  opcode: 104,
  repeatable: true,
  write: (to, { path }) => to.string32(path),
  read: from => from.int32(),
}
export type AclReply = { acl: Acl; stat: Stat }
export const getAcl: Operation<At, AclReply> = {
  name: 'getACL',
  opcode: 6,
  repeatable: true,
  write: (to, { path }) => to.string32(path),
  read: from => ({ acl: from.raw(from.left - STAT_BYTES) as Acl, stat: readStat(from) }),
}
export const setAcl: Operation<At & { acl: Acl; aversion: number }, Stat> = {
  name: 'setACL',
  opcode: 7,
  repeatable: false,
  write: (to, { path, acl, aversion }) => to.string32(path).raw(acl).int32(aversion),
  read: readStat,
}
/** Flushes what the leader has to the server of this session. The reply is the path. */
export const sync: Operation<At, string> = {
  name: 'sync',
  opcode: 9,
  repeatable: true,
  write: (to, { path }) => to.string32(path),
  read: from => from.string32(),
}

/**
 * A znode that the servers remove by themselves: a container once its last child is gone, one with a time to live when
 * it has no child and was not written for so long. No client is told of it later. Source: CreateMode.
 */
export type ZnodeType = { kind: 'container' } | { kind: 'ttl'; ms: number }
/** Source: EphemeralType.TTL, maxValue. */
export const MAX_TTL_MS = 0xffffffffff

export type CreateRequest = At & { data: Buffer | null; acl: Acl; ephemeral?: boolean }
/** The reply is the path. */
export const create: Operation<CreateRequest, string> = {
  name: 'create',
  opcode: 1,
  repeatable: false,
  write: (to, { path, data, acl, ephemeral }) =>
    to
      .string32(path)
      .nullableBytes32(data)
      .raw(acl)
      .int32(ephemeral ? 1 : 0),
  read: from => from.string32(),
}
/** The reply is path and Stat. Servers from 3.5, without switch. */
export const createContainer: Operation<CreateRequest, string> = {
  name: 'createContainer',
  opcode: 19,
  repeatable: false,
  write: (to, { path, data, acl }) => to.string32(path).nullableBytes32(data).raw(acl).int32(4),
  read: from => {
    const path = from.string32()
    readStat(from)
    return path
  },
}
/** Unimplemented by servers without `zookeeper.extendedTypesEnabled=true`. */
export const createTtl: Operation<CreateRequest & { ttlMs: number }, string> = {
  name: 'createTTL',
  opcode: 21,
  repeatable: false,
  write: (to, { path, data, acl, ttlMs }) =>
    to.string32(path).nullableBytes32(data).raw(acl).int32(5).int64(BigInt(ttlMs)),
  read: createContainer.read,
}
export type SetRequest = At & { data: Buffer | null; version: number }
/** `version` is the one that was read (0 is a real one); -1 takes any. */
export const setData: Operation<SetRequest, Stat> = {
  name: 'setData',
  opcode: 5,
  repeatable: false,
  write: (to, { path, data, version }) => to.string32(path).nullableBytes32(data).int32(version),
  read: readStat,
}
export type VersionRequest = At & { version: number }
export const remove: Operation<VersionRequest, void> = {
  name: 'delete',
  opcode: 2,
  repeatable: false,
  write: (to, { path, version }) => to.string32(path).int32(version),
  read: nothing,
}
export const check: Operation<VersionRequest, void> = { ...remove, name: 'check', opcode: 13 }

/** Ends the session on the server; its ephemerals go with it. */
export const closeSession: Operation<void, void> = {
  name: 'closeSession',
  opcode: -11,
  repeatable: false,
  write: nothing,
  read: nothing,
}
