export { type Acl, type AclEntry, aclEntries, aclOf, digestId, maskedIds, OPEN_ACL, PERM } from './acl.ts'
export { type Answer, CODE, codeError, codeName, must } from './codes.ts'
export { formatConnectString, parseConnectString, type ZkAddress } from './connect-string.ts'
export type { Credentials } from './connection.ts'
export { MULTI_BYTES, multi, multiRead, opBytes, type ReadOp, type ReadReply, type WriteOp } from './multi.ts'
export {
  check,
  countBelow,
  create,
  type DataReply,
  exists,
  existsWatched,
  getAcl,
  getChildren,
  getData,
  MAX_TTL_MS,
  type Operation,
  remove,
  setAcl,
  setData,
  sync,
  type ZnodeType,
} from './operations.ts'
export { ancestorsOf, belowPath, childPath, isWithin, joinPath, pathFault } from './path.ts'
export { acceptsSession, hasMultiRead } from './probe.ts'
export type { SaslLogin } from './sasl.ts'
export { type Auth, type SessionEvent, type SessionOptions, ZkSession } from './session.ts'
export { Stat } from './stat.ts'
export { addWatch, type WatchEvent } from './watches.ts'
