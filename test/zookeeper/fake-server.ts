import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import { Reader, Writer } from '../../src/wire/index.ts'
import { isWithin, OPEN_ACL } from '../../src/zookeeper/index.ts'

type FakeNode = {
  data: Buffer | null
  acl: Buffer
  version: number
  aversion: number
  owner: bigint
  czxid: bigint
  mzxid: bigint
}
/** What the server does with a request instead of answering it. */
export type Fault =
  /** Applies it and closes the connection without an answer. */
  | 'lose-reply'
  /** Closes the connection without applying it. */
  | 'lose-request'
  /** Applies it, sends half of the answer and closes. */
  | 'cut-reply'
  /** Applies nothing, answers nothing, pings included, from here on. */
  | 'silence'
export type FakeOptions = {
  /** Asked for each request but pings. */
  fault?: (request: { opcode: number; number: number; bytes: number }) => Fault | undefined
  multiRead?: 'yes' | 'unimplemented' | 'close'
  /** Whether a TTL znode may be made. */
  extendedTypes?: boolean
  addWatch?: 'yes' | 'unimplemented'
  /** Requests above it close the connection without a word, as a real server does. */
  maxBytes?: number
  timeoutMs?: number
  /** As a server without a quorum, under readonlymode.enabled: what 3.8.4 does. */
  readOnly?: () => boolean
  /** Whether a session is still known when its client comes back. */
  resumes?: () => boolean
  /** Sessions that are alive; servers that share one set are one ensemble. Decides in place of `resumes`. */
  alive?: Set<bigint>
}

const STRIDE = new Map([
  [1, 'create'],
  [19, 'create'],
  [21, 'create'],
  [2, 'delete'],
  [5, 'set'],
  [13, 'check'],
  [4, 'data'],
  [8, 'children'],
])

/** Znodes by path. Names of children are worked out once, until the next change. */
class Tree extends Map<string, FakeNode> {
  #names: Map<string, string[]> | undefined
  override set(path: string, node: FakeNode): this {
    this.#names = undefined
    return super.set(path, node)
  }
  override delete(path: string): boolean {
    this.#names = undefined
    return super.delete(path)
  }
  override clear(): void {
    this.#names = undefined
    super.clear()
  }
  namesBelow(path: string): readonly string[] {
    if (!this.#names) {
      this.#names = new Map()
      for (const one of this.keys()) {
        const slash = one.lastIndexOf('/')
        const [parent, name] = [one.slice(0, slash) || '/', one.slice(slash + 1)]
        if (name === '') continue
        const names = this.#names.get(parent)
        if (names) names.push(name)
        else this.#names.set(parent, [name])
      }
    }
    return this.#names.get(path) ?? []
  }
}

/** A ZooKeeper of one tree in this process, for what a real one can't be made to do. Held to the golden bytes by use. */
export class FakeServer implements AsyncDisposable {
  readonly nodes = new Tree()
  /** Opcode of each request that came, pings left out. */
  readonly requests: number[] = []
  /** Paths of persistent recursive watches, by connection. */
  readonly watched = new Map<Socket, Set<string>>()
  connections = 0
  sessionsBegun = 0
  #options: FakeOptions
  #server: Server
  #sockets = new Set<Socket>()
  #sessions = new Map<Socket, bigint>()
  #zxid = 0n
  private constructor(options: FakeOptions) {
    this.#options = options
    this.#server = createServer(socket => this.#accept(socket))
    this.put('/', null)
  }
  static async start(options: FakeOptions = {}): Promise<FakeServer> {
    const fake = new FakeServer(options)
    fake.#server.listen(0, '127.203.0.3')
    await once(fake.#server, 'listening')
    return fake
  }
  get port(): number {
    const address = this.#server.address()
    return typeof address === 'object' && address ? address.port : 0
  }
  get address(): { host: string; port: number } {
    return { host: '127.203.0.3', port: this.port }
  }
  put(path: string, data: string | null): void {
    const czxid = ++this.#zxid
    this.nodes.set(path, {
      ...{ data: data === null ? null : Buffer.from(data), acl: OPEN_ACL },
      ...{ version: 0, aversion: 0, owner: 0n, czxid, mzxid: czxid },
    })
  }
  /** Tells of a change (1 created, 2 deleted, 3 data) whoever watches the path or what is above it. */
  tell(type: number, path: string): void {
    const event = new Writer().int32(type).int32(3).string32(path).toBuffer()
    for (const [socket, roots] of this.watched) {
      if ([...roots].some(root => isWithin(root, path))) {
        socket.write(framed(Buffer.concat([reply(-1, -1n, 0), event])))
      }
    }
  }
  /** Connections that are open now. */
  get open(): number {
    return this.#sockets.size
  }
  /** Ends every connection, as a server that dies does. */
  drop(): void {
    for (const socket of this.#sockets) socket.destroy()
  }
  async [Symbol.asyncDispose](): Promise<void> {
    this.drop()
    this.#server.close()
    await once(this.#server, 'close')
  }

  #accept(socket: Socket): void {
    this.connections++
    this.#sockets.add(socket)
    let held = Buffer.alloc(0)
    let greeted = false
    let silent = false
    socket.on('error', () => {})
    socket.on('close', () => {
      this.#sockets.delete(socket)
      this.watched.delete(socket)
    })
    socket.on('data', chunk => {
      held = Buffer.concat([held, chunk])
      while (held.length >= 4 && held.length >= 4 + held.readInt32BE(0) && !socket.destroyed) {
        const bytes = held.readInt32BE(0)
        const frame = Buffer.from(held.subarray(4, 4 + bytes))
        held = held.subarray(4 + bytes)
        if (silent) continue
        if (!greeted) {
          greeted = true
          if (this.#options.readOnly?.()) {
            if (frame.at(-1) === 1) socket.write(framed(reply(0, this.#zxid, -119)))
            else socket.destroy()
            continue
          }
          socket.write(this.#greet(socket, new Reader(frame)))
        } else if (this.#serve(socket, frame) === 'silence') silent = true
      }
    })
  }

  #greet(socket: Socket, from: Reader): Buffer {
    from.int32()
    from.int64()
    from.int32()
    const asked = from.int64()
    const { alive, resumes } = this.#options
    const known = asked === 0n || (alive ? alive.has(asked) : (resumes?.() ?? true))
    if (asked === 0n) this.sessionsBegun++
    const session = asked === 0n ? BigInt(0x1000 + this.sessionsBegun) : asked
    if (known) alive?.add(session)
    this.#sessions.set(socket, session)
    const to = new Writer()
      .int32(37)
      .int32(0)
      .int32(known ? (this.#options.timeoutMs ?? 6_000) : 0)
    return to
      .int64(known ? session : 0n)
      .bytes32(Buffer.alloc(16))
      .bool(false)
      .toBuffer()
  }

  #serve(socket: Socket, frame: Buffer): Fault | undefined {
    const from = new Reader(frame)
    const [xid, opcode] = [from.int32(), from.int32()]
    if (opcode === 11) {
      socket.write(framed(reply(-2, this.#zxid, 0)))
      return undefined
    }
    this.requests.push(opcode)
    const { maxBytes = 1_048_575, multiRead = 'yes', fault } = this.#options
    const does = fault?.({ opcode, number: this.requests.length, bytes: frame.length })
    const closes = frame.length > maxBytes || (opcode === 22 && multiRead === 'close')
    if (does === 'silence') return does
    if (does === 'lose-request' || closes) {
      socket.destroy()
      return does
    }
    if (opcode === 100) {
      socket.write(framed(reply(-4, this.#zxid, 0)))
      return undefined
    }
    if (opcode === 22 && multiRead === 'unimplemented') {
      socket.write(framed(reply(xid, this.#zxid, -6)))
      return undefined
    }
    if (opcode === 105 || opcode === 106) {
      const known = this.#options.addWatch !== 'unimplemented'
      if (known) this.#watch(socket, opcode, from)
      socket.write(framed(reply(xid, this.#zxid, known ? 0 : -6)))
      return undefined
    }
    const body = new Writer()
    const code = opcode === 14 || opcode === 22 ? this.#many(from, body) : this.#one(opcode, from, body)
    const bytes = framed(
      Buffer.concat([reply(xid, this.#zxid, code), code === 0 ? body.toBuffer() : Buffer.alloc(0)]),
    )
    if (does === 'lose-reply') socket.destroy()
    else if (does === 'cut-reply') socket.end(bytes.subarray(0, Math.floor(bytes.length / 2)))
    else if (opcode === -11) {
      this.#options.alive?.delete(this.#sessions.get(socket) ?? 0n)
      socket.end(bytes)
    } else socket.write(bytes)
    return does
  }

  #watch(socket: Socket, opcode: number, from: Reader): void {
    const roots = this.watched.get(socket) ?? new Set<string>()
    this.watched.set(socket, roots)
    if (opcode === 106) {
      roots.add(from.string32())
      return
    }
    from.int64()
    for (let kind = 0; kind < 4; kind++) from.array32(() => from.string32())
    for (const path of from.array32(() => from.string32())) roots.add(path)
  }

  #many(from: Reader, to: Writer): number {
    const before = new Map([...this.nodes].map(([path, node]) => [path, { ...node }]))
    const results: { type: number; code: number; body: Writer }[] = []
    let failed = false
    for (;;) {
      const type = from.int32()
      if (from.bool()) break
      from.int32()
      const body = new Writer()
      const kind = STRIDE.get(type)
      const code = this.#one(type, from, body)
      const reads = kind === 'data' || kind === 'children'
      results.push({ type: type === 19 || type === 21 ? 15 : type, code: failed ? -2 : code, body })
      if (code !== 0 && !reads) failed = true
    }
    if (failed) {
      this.nodes.clear()
      for (const [path, node] of before) this.nodes.set(path, node)
    }
    for (const { type, code, body } of results) {
      const error = code !== 0 || failed
      to.int32(error ? -1 : type)
        .bool(false)
        .int32(code)
      if (error) to.int32(code)
      else to.raw(body.toBuffer())
    }
    to.int32(-1).bool(true).int32(-1)
    return 0
  }

  #one(opcode: number, from: Reader, to: Writer): number {
    if (opcode === -11) return 0
    const path = from.string32()
    const node = this.nodes.get(path)
    switch (opcode) {
      case 19:
      case 21:
      case 1: {
        const data = from.nullableBytes32()
        const start = from.position
        from.array32(() => [from.int32(), from.string32(), from.string32()])
        const acl = Buffer.from(from.buffer.subarray(start, from.position))
        from.int32()
        if (opcode === 21) from.int64()
        if (opcode === 21 && this.#options.extendedTypes === false) return -6
        if (node) return -110
        if (!this.nodes.has(path.slice(0, path.lastIndexOf('/')) || '/')) return -101
        this.put(path, null)
        Object.assign(this.nodes.get(path) as FakeNode, { data: data && Buffer.from(data), acl })
        to.string32(path)
        if (opcode !== 1) this.#stat(path, this.nodes.get(path) as FakeNode, to)
        return 0
      }
      case 2: {
        const version = from.int32()
        if (!node) return -101
        if (this.nodes.namesBelow(path).length > 0) return -111
        if (version !== -1 && version !== node.version) return -103
        this.nodes.delete(path)
        return 0
      }
      case 5: {
        const data = from.nullableBytes32()
        const version = from.int32()
        if (!node) return -101
        if (version !== -1 && version !== node.version) return -103
        Object.assign(node, {
          data: data && Buffer.from(data),
          version: node.version + 1,
          mzxid: ++this.#zxid,
        })
        this.#stat(path, node, to)
        return 0
      }
      case 7: {
        const start = from.position
        from.array32(() => [from.int32(), from.string32(), from.string32()])
        const acl = Buffer.from(from.buffer.subarray(start, from.position))
        if (!node) return -101
        Object.assign(node, { acl, aversion: node.aversion + 1 })
        this.#stat(path, node, to)
        return 0
      }
      case 9:
        to.string32(path)
        return 0
      case 13: {
        const version = from.int32()
        return !node ? -101 : version !== -1 && version !== node.version ? -103 : 0
      }
      default:
    }
    if (opcode === 104) {
      if (!node) return -101
      to.int32([...this.nodes.keys()].filter(one => one.startsWith(path === '/' ? '/' : `${path}/`)).length)
      return 0
    }
    if (opcode !== 6) from.bool()
    if (!node) return -101
    if (opcode === 4) to.nullableBytes32(node.data)
    if (opcode === 6) to.raw(node.acl)
    if (opcode === 8) to.array32(this.nodes.namesBelow(path), name => to.string32(name))
    else this.#stat(path, node, to)
    return 0
  }

  #stat(path: string, node: FakeNode, to: Writer): void {
    to.int64(node.czxid)
      .int64(node.mzxid)
      .int64(1n)
      .int64(BigInt(node.mzxid) * 1_000n)
    to.int32(node.version).int32(0).int32(node.aversion).int64(node.owner)
    to.int32(node.data?.length ?? 0)
      .int32(this.nodes.namesBelow(path).length)
      .int64(1n)
  }
}

const reply = (xid: number, zxid: bigint, code: number): Buffer =>
  new Writer().int32(xid).int64(zxid).int32(code).toBuffer()
const framed = (body: Buffer): Buffer => Buffer.concat([new Writer().int32(body.length).toBuffer(), body])
