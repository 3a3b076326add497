import {
  type Acl,
  type Answer,
  type DataReply,
  getAcl,
  getChildren,
  getData,
  multiRead,
  type ReadOp,
  type ReadReply,
  type Stat,
  type ZkSession,
} from '../zookeeper/index.ts'

/** Most operations in one multiRead, and the size that its reply is held near: the server builds it in its heap. */
const MAX_OPS = 500
const REPLY_BYTES = 1 << 20
const FIRST_OPS = 64
/** ACLs asked for on one session at a time, at least. */
const ACL_SHARE = 32
/** What a child's name is reckoned at before it was seen. */
const NAME_BYTES = 24

export type Node = { data: Buffer | null; stat: Stat }

/**
 * Reads many znodes of one ensemble over several sessions in turn: by multiRead, or by pipelined single requests where
 * the servers have none (before 3.6). Batches follow the size of what was read lately, from small ones upwards.
 */
export class TreeReader {
  readonly sessions: readonly ZkSession[]
  readonly #batched: boolean
  #turn = 0
  #meanBytes = REPLY_BYTES / FIRST_OPS
  constructor(sessions: readonly ZkSession[], options: { multiRead: boolean }) {
    this.sessions = sessions
    this.#batched = options.multiRead
  }

  /** How many znodes the next read of data should ask for. */
  get batch(): number {
    return Math.max(1, Math.min(MAX_OPS, Math.floor(REPLY_BYTES / this.#meanBytes)))
  }
  /** A list in parts of what one read should ask for. Each part is measured once: the size changes with every read. */
  *parts<T>(all: readonly T[]): Generator<T[], void> {
    for (let at = 0; at < all.length; ) {
      const part = all.slice(at, at + this.batch)
      at += part.length
      yield part
    }
  }
  /** Whether the servers know multiRead, and with it what else came with ZooKeeper 3.6. */
  get batched(): boolean {
    return this.#batched
  }
  /** Where reads go, for messages. */
  get address(): string {
    return this.#session().address
  }

  #session(): ZkSession {
    this.#turn = (this.#turn + 1) % this.sessions.length
    return this.sessions[this.#turn] as ZkSession
  }

  async data(paths: readonly string[]): Promise<Answer<Node>[]> {
    const answers = (await this.#read(paths.map(path => ({ kind: 'data', path })))) as Answer<DataReply>[]
    let bytes = 0
    for (const { value } of answers) bytes += 90 + (value?.data?.length ?? 0)
    if (answers.length > 0) this.#meanBytes = (this.#meanBytes + (2 * bytes) / answers.length) / 3
    return answers
  }

  /** `counts` are the numbers of children that a Stat told, which set how many lists one request asks for. */
  async children(paths: readonly string[], counts: readonly number[]): Promise<Answer<string[]>[]> {
    const asked: Promise<ReadReply[]>[] = []
    let ops: ReadOp[] = []
    let bytes = 0
    for (const [i, path] of paths.entries()) {
      ops.push({ kind: 'children', path })
      bytes += NAME_BYTES * (counts[i] ?? 0)
      if (bytes < REPLY_BYTES && ops.length < MAX_OPS && i < paths.length - 1) continue
      asked.push(this.#read(ops))
      ops = []
      bytes = 0
    }
    return (await Promise.all(asked)).flat() as Answer<string[]>[]
  }

  /**
   * One request each, as getACL has no batch form. Shared out, as a server takes them one by one from each connection:
   * at eight connections they cost it two thirds of what they cost at four.
   */
  async acls(paths: readonly string[]): Promise<Answer<{ acl: Acl; stat: Stat }>[]> {
    const share = Math.max(ACL_SHARE, Math.ceil(paths.length / this.sessions.length))
    const asked: Promise<Answer<{ acl: Acl; stat: Stat }>[]>[] = []
    for (let i = 0; i < paths.length; i += share) {
      const requests = paths.slice(i, i + share).map(path => ({ path }))
      asked.push(this.#session().callEach(getAcl, requests))
    }
    return (await Promise.all(asked)).flat()
  }

  async #read(ops: readonly ReadOp[]): Promise<ReadReply[]> {
    if (ops.length === 0) return []
    const session = this.#session()
    if (!this.#batched) {
      return ops[0]?.kind === 'data' ? session.callEach(getData, ops) : session.callEach(getChildren, ops)
    }
    const { code, value } = await session.call(multiRead, ops)
    return value ?? ops.map(() => ({ code }))
  }
}
