import { type ErrorCode, KmigError } from '../kit/index.ts'

/** What a server can answer. Source: org.apache.zookeeper.KeeperException.Code. */
export const CODE = {
  Ok: 0,
  SystemError: -1,
  RuntimeInconsistency: -2,
  DataInconsistency: -3,
  ConnectionLoss: -4,
  MarshallingError: -5,
  Unimplemented: -6,
  OperationTimeout: -7,
  BadArguments: -8,
  ApiError: -100,
  NoNode: -101,
  NoAuth: -102,
  BadVersion: -103,
  NoChildrenForEphemerals: -108,
  NodeExists: -110,
  NotEmpty: -111,
  SessionExpired: -112,
  InvalidAcl: -114,
  AuthFailed: -115,
  SessionMoved: -118,
  NotReadOnly: -119,
  RequestTimeout: -122,
  SessionClosedRequireSaslAuth: -124,
  QuotaExceeded: -125,
  ThrottledOp: -127,
} as const
const NAMES = new Map<number, string>(Object.entries(CODE).map(([name, code]) => [code, name]))

/** `NoNode` for -101; `error -99` for a code that no ZooKeeper we know of has. */
export const codeName = (code: number): string => NAMES.get(code) ?? `error ${code}`

/** The answer to one operation: the value, or the server's code. Which codes are fine is for the caller to say. */
export type Answer<T> = { code: 0; value: T } | { code: number; value?: undefined }

const KMIG_CODES = new Map<number, ErrorCode>([
  [CODE.NoNode, 'ZK_NO_NODE'],
  [CODE.NoAuth, 'ZK_NO_AUTH'],
  [CODE.AuthFailed, 'AUTHENTICATION'],
  [CODE.SessionClosedRequireSaslAuth, 'AUTHENTICATION'],
  [CODE.SessionExpired, 'ZK_SESSION_EXPIRED'],
  [CODE.Unimplemented, 'UNSUPPORTED'],
])
const REMEDIES = new Map<number, string>([
  [CODE.NoAuth, 'give the digest user that has the right, with --from-auth or --to-auth'],
  [
    CODE.Unimplemented,
    'for znodes with a time to live set zookeeper.extendedTypesEnabled=true on the servers',
  ],
  [CODE.QuotaExceeded, 'raise or remove the quota of the path on the target'],
  [CODE.InvalidAcl, 'an ACL names a scheme or an id that this server does not accept'],
])

/** The error of an answer that the caller cannot handle. `what` reads "get /a/b on h:2181". */
export const codeError = (code: number, what: string): KmigError => {
  const remedy = REMEDIES.get(code)
  return new KmigError(KMIG_CODES.get(code) ?? 'ZK', `${what}: the server answered ${codeName(code)}`, {
    try: remedy ? [remedy] : [],
  })
}

/** The value of an answer; throws its code as an error. */
export const must = <T>(answer: Answer<T>, what: string): T => {
  if (answer.code !== 0) throw codeError(answer.code, what)
  return answer.value as T
}
