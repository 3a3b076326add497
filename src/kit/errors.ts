/** Exit codes of every command. Source: README, "Exit codes". Where several apply: loss, auth, unreachable, partial. */
export const EXIT = {
  ok: 0,
  unexpected: 1,
  usage: 2,
  difference: 3,
  refused: 4,
  auth: 5,
  partial: 6,
  loss: 7,
  locked: 8,
  aborted: 9,
  unreachable: 10,
} as const
export type Exit = (typeof EXIT)[keyof typeof EXIT]

/** The closed list of error codes: what each means and the exit code it ends the command with. README prints it. */
export const ERRORS = {
  BUG: { exit: EXIT.unexpected, means: 'kmig broke one of its own rules; please report it' },
  USAGE: { exit: EXIT.usage, means: 'a flag or an argument is wrong' },
  UNKNOWN_CLUSTER: { exit: EXIT.usage, means: 'a cluster name is not in any kmig.yaml that was found' },
  BAD_ADDRESS: { exit: EXIT.usage, means: 'an address is not host:port[,host:port...]' },
  CONFIG_INVALID: {
    exit: EXIT.usage,
    means: 'kmig.yaml or a client .properties file does not parse or holds a wrong value',
  },
  NEEDS_CONSENT: { exit: EXIT.refused, means: 'a question needs a terminal, or the flag that answers it' },
  PREFLIGHT: { exit: EXIT.refused, means: 'something must be put right before kmig may start' },
  LOCKED: { exit: EXIT.locked, means: 'another run owns this mirror or this directory' },
  STATE_DAMAGED: { exit: EXIT.loss, means: 'a journal or state record is damaged or of an unknown form' },

  UNREACHABLE: { exit: EXIT.unreachable, means: 'no server answered at an address in time' },
  TIMEOUT: { exit: EXIT.unreachable, means: 'a server took a request and did not answer in time' },
  DISCONNECTED: { exit: EXIT.unreachable, means: 'a connection ended before its answer came' },
  PROTOCOL: { exit: EXIT.unexpected, means: 'a server sent bytes that do not fit the protocol' },
  UNSUPPORTED: {
    exit: EXIT.refused,
    means: 'a server lacks an API that is needed, or a setting asks for what kmig can not do',
  },
  AUTHENTICATION: { exit: EXIT.auth, means: 'a server refused the credentials' },
  AUTHORIZATION: { exit: EXIT.auth, means: 'a server refused the operation on a resource' },
  BROKER: { exit: EXIT.partial, means: 'a broker answered with an error that trying again did not cure' },
  CORRUPT_BATCH: { exit: EXIT.loss, means: 'a record batch does not match its checksum or its own header' },

  TOPIC_MISSING: { exit: EXIT.refused, means: 'a topic that was named does not exist' },
  TARGET_NOT_EMPTY: {
    exit: EXIT.refused,
    means: 'a target topic holds records that this mirror did not write',
  },
  NOT_IDENTICAL: {
    exit: EXIT.loss,
    means: 'identical offsets were asked for, and can no longer be kept on a partition',
  },
  SOURCE_LOST: { exit: EXIT.loss, means: 'the source no longer has records that were not mirrored yet' },
  SOURCE_TRUNCATED: {
    exit: EXIT.loss,
    means: 'the source lost records that are on the target (unclean election)',
  },
  FOREIGN_WRITE: { exit: EXIT.loss, means: 'somebody else wrote to a target partition' },
  TARGET_TRUNCATED: { exit: EXIT.loss, means: 'the target lost records that it had acknowledged' },
  TOPIC_RECREATED: { exit: EXIT.loss, means: 'a topic was deleted and made again under the mirror' },
  RECORD_TOO_LARGE: { exit: EXIT.loss, means: 'the target refuses a batch as too large' },
  CUT_OVER: { exit: EXIT.refused, means: 'this mirror was ended by a cutover' },
  PARTIAL: { exit: EXIT.partial, means: 'part of the work failed; the report says which' },

  ZK_CONNECT_STRING: {
    exit: EXIT.usage,
    means:
      'a ZooKeeper connect string is not host:port[,host:port...][/chroot], or names servers of two ensembles',
  },
  ZK_SESSION_EXPIRED: { exit: EXIT.unreachable, means: 'the ensemble ended the session' },
  ZK_NO_NODE: { exit: EXIT.refused, means: 'a znode that was named does not exist' },
  ZK_NO_AUTH: { exit: EXIT.auth, means: 'the session may not do this on a znode' },
  ZK_MASKED_ACL: {
    exit: EXIT.auth,
    means: 'digest ids of an ACL are hidden from this session; a copy would lock everyone out',
  },
  ZK_OVERSIZE: { exit: EXIT.refused, means: 'a znode is larger than the target server takes' },
  ZK_EPHEMERAL: { exit: EXIT.refused, means: 'an ephemeral znode stands where the copy must write' },
  ZK_OVERLAP: {
    exit: EXIT.usage,
    means: 'source and target are the same tree, or one lies inside the other',
  },
  ZK_LIVE_KAFKA: {
    exit: EXIT.refused,
    means: 'brokers are registered where a copy of Kafka metadata is read or written',
  },
  ZK_CONFLICT: { exit: EXIT.loss, means: 'somebody else writes to a znode that is being copied' },
  ZK_TOO_MANY_DELETES: {
    exit: EXIT.refused,
    means: 'more znodes would be deleted than --max-delete allows',
  },
  ZK_DUMP_DAMAGED: {
    exit: EXIT.refused,
    means: 'a dump of znodes is damaged, cut off or of an unknown form',
  },
  ZK: {
    exit: EXIT.partial,
    means: 'a ZooKeeper server answered with an error that trying again did not cure',
  },

  DISCOVERY_EMPTY: { exit: EXIT.usage, means: 'a directory holds no discovery file' },
  DISCOVERY_INVALID: { exit: EXIT.refused, means: 'a discovery file is not safe to edit (file:line:column)' },
  DISCOVERY_NO_MATCH: { exit: EXIT.refused, means: 'no entry of the discovery files names the old cluster' },
  DISCOVERY_CONFLICT: { exit: EXIT.loss, means: 'a discovery file was changed by somebody else' },
  STILL_WRITTEN: {
    exit: EXIT.aborted,
    means: 'somebody still writes to the old cluster; the cutover put everything back',
  },
  STILL_READ: {
    exit: EXIT.aborted,
    means: 'a live consumer group did not read the old cluster to its end; the cutover put everything back',
  },
  FENCE: {
    exit: EXIT.aborted,
    means: 'writers could not be fenced off, or the fence did not hold; the cutover put everything back',
  },
  FENCE_BUDGET: {
    exit: EXIT.aborted,
    means: 'the fence would have stood longer than --max-fence; it was released before',
  },
  HOOK_FAILED: { exit: EXIT.aborted, means: 'a hook ended with another code than 0, or not in time' },
  ABORTED: {
    exit: EXIT.aborted,
    means: 'the operator ended the run with abort or rollback; everything is as it was',
  },
  PLAN_CHANGED: {
    exit: EXIT.refused,
    means: 'what a plan was made of is no longer so: clusters, groups, files or hooks',
  },
  WRONG_STATE: { exit: EXIT.refused, means: 'a run that is in this state takes no such order' },
  STRANDED: { exit: EXIT.loss, means: 'records were written to the old cluster after the cut' },
  ROLLBACK_REFUSED: { exit: EXIT.loss, means: 'the new cluster holds records that going back would lose' },

  NO_PROVIDER: { exit: EXIT.refused, means: 'the sandbox can start no servers here' },
  SANDBOX: { exit: EXIT.unexpected, means: 'a sandbox server did not start or did not do as told' },
} as const satisfies Record<string, { exit: Exit; means: string }>
export type ErrorCode = keyof typeof ERRORS

export type ErrorOptions = {
  /** What the operator can run or do next, one per line. */
  try?: readonly string[]
  cause?: unknown
  /** Wins over the code's own exit code; for findings whose weight depends on the command. */
  exit?: Exit
}

/** The one error class. `code` is matched, never the text. */
export class KmigError extends Error {
  readonly code: ErrorCode
  readonly suggestions: readonly string[]
  readonly exit: Exit
  constructor(code: ErrorCode, message: string, options: ErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'KmigError'
    this.code = code
    this.suggestions = options.try ?? []
    this.exit = options.exit ?? ERRORS[code].exit
  }
}

export const isKmigError = (e: unknown, ...codes: ErrorCode[]): e is KmigError =>
  e instanceof KmigError && (codes.length === 0 || codes.includes(e.code))

/** A broken rule of our own. */
export const bug = (message: string, cause?: unknown): KmigError =>
  new KmigError('BUG', message, { cause, try: ['report this with the run directory'] })

/** The text of anything that was thrown. */
export const messageOf = (e: unknown): string => (e instanceof Error ? e.message : String(e))
