import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import type { ApiTable } from '../../src/kafka/index.ts'
import * as kafka from '../../src/kafka/index.ts'
import type { HostPort } from '../../src/kit/index.ts'
import { Reader, Writer } from '../../src/wire/index.ts'

type AnyTable = ApiTable<unknown, never, unknown, never>
/** Every table that kmig has, one per API: those by topic id, of newer versions, are apart. */
export const TABLES: readonly AnyTable[] = Object.values(kafka as unknown as Record<string, unknown>)
  .filter((each): each is AnyTable => typeof each === 'object' && each !== null && 'flexibleFrom' in each)
  .filter(({ key }, i, all) => all.findIndex(each => each.key === key) === i)

/** A request as a broker sees it. */
export type Asked = {
  socket: Socket
  broker: FakeBroker
  table: AnyTable
  version: number
  correlationId: number
  clientId: string | null
  request: unknown
  /** The answer's frame. */
  frame: (answer: unknown) => Buffer
  reply: (answer: unknown) => void
}
export type Handler = (asked: Asked) => void

/** The frame of an answer, as a broker encodes it. */
export const frameOf = (table: AnyTable, version: number, correlationId: number, answer: unknown): Buffer => {
  const flexible = version >= table.flexibleFrom
  const body = new Writer().int32(correlationId)
  if (flexible && table.key !== kafka.ApiVersions.key) body.unsignedVarint(0)
  table.response.write(body, answer as never, { version, flexible })
  const bytes = body.toBuffer()
  return Buffer.concat([new Writer().int32(bytes.length).toBuffer(), bytes])
}

/** What ApiVersions answers: all that kmig speaks, with some versions lowered. */
export const apiVersions = (highest: Record<string, number> = {}) => ({
  errorCode: 0,
  apiKeys: TABLES.map(({ name, key, versions: [min, max] }) => {
    const maxVersion = highest[name] ?? max
    return { apiKey: key, minVersion: Math.min(min, maxVersion), maxVersion }
  }),
})

/** A broker on a loopback port, whose answers a test writes. `handlers` by API name; ApiVersions is answered by itself. */
export class FakeBroker implements AsyncDisposable {
  readonly #server: Server
  readonly sockets = new Set<Socket>()
  /** Names of the requests that came, in order. */
  readonly asked: string[] = []
  handlers: Record<string, Handler>
  private constructor(server: Server, handlers: Record<string, Handler>) {
    this.#server = server
    this.handlers = { ApiVersions: ({ reply }) => reply(apiVersions()), ...handlers }
  }

  static async listen(handlers: Record<string, Handler> = {}): Promise<FakeBroker> {
    const server = createServer()
    const broker = new FakeBroker(server, handlers)
    server.on('connection', socket => broker.#serve(socket))
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return broker
  }

  get address(): HostPort {
    return { host: '127.0.0.1', port: (this.#server.address() as AddressInfo).port }
  }

  #serve(socket: Socket): void {
    this.sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => this.sockets.delete(socket))
    let held: Buffer = Buffer.alloc(0)
    socket.on('data', chunk => {
      held = Buffer.concat([held, chunk])
      while (held.length >= 4 && held.length >= 4 + held.readInt32BE(0)) {
        const end = 4 + held.readInt32BE(0)
        this.#handle(socket, new Reader(held.subarray(4, end)))
        held = held.subarray(end)
      }
    })
  }

  #handle(socket: Socket, from: Reader): void {
    const [key, version, correlationId, clientId] = [
      from.int16(),
      from.int16(),
      from.int32(),
      from.nullableString16(),
    ]
    const table = TABLES.find(each => each.key === key)
    if (!table) throw new Error(`no table for API ${key}`)
    const flexible = version >= table.flexibleFrom
    if (flexible) from.unsignedVarint()
    const request = table.request.read(from, { version, flexible })
    this.asked.push(table.name)
    const frame = (answer: unknown) => frameOf(table, version, correlationId, answer)
    const reply = (answer: unknown) => void socket.write(frame(answer))
    this.handlers[table.name]?.({
      socket,
      broker: this,
      table,
      version,
      correlationId,
      clientId,
      request,
      frame,
      reply,
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.sockets) socket.destroy()
    this.#server.close()
    await once(this.#server, 'close')
  }
}
