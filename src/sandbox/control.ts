import { once } from 'node:events'
import { chmod, rm } from 'node:fs/promises'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { KmigError } from '../kit/index.ts'

/** What a sandbox in the foreground can be asked by others of the same user. */
export type Asked = 'status' | 'down'
const ANSWER_MS = 5_000

/** A unix socket (0600): one word in, one line of JSON out. Connections end when the control ends: the last thing of all. */
export class Control implements AsyncDisposable {
  #server: Server
  #sockets = new Set<Socket>()
  private constructor(server: Server) {
    this.#server = server
  }

  /** `path` must be short (about 100 bytes); what an earlier process left there is removed. */
  static async listen(path: string, answer: (asked: Asked) => unknown): Promise<Control> {
    await rm(path, { force: true })
    const server = createServer()
    const control = new Control(server)
    server.on('connection', socket => {
      control.#sockets.add(socket)
      socket.on('close', () => control.#sockets.delete(socket)).on('error', () => {})
      const lines = createInterface({ input: socket })
      lines.on('error', () => {})
      lines.on('line', line => socket.write(`${JSON.stringify(answer(line as Asked))}\n`))
    })
    await once(server.listen(path), 'listening')
    await chmod(path, 0o600)
    return control
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, 'close')
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
    await closed
  }
}

/**
 * Asks the sandbox that listens there; undefined if none does. With `untilEnd` it resolves when that sandbox has ended.
 * Throws SANDBOX if it takes the question and does not answer.
 */
export const ask = async <T>(
  path: string,
  asked: Asked,
  options: { untilEnd?: boolean; signal: AbortSignal },
): Promise<T | undefined> => {
  const socket = connect(path)
  try {
    await once(socket, 'connect', { signal: options.signal })
  } catch (e) {
    options.signal.throwIfAborted()
    if (['ENOENT', 'ECONNREFUSED'].includes((e as NodeJS.ErrnoException).code ?? '')) return undefined
    throw e
  }
  const closed = once(socket, 'close', { signal: options.signal })
  socket.write(`${asked}\n`)
  const late = AbortSignal.timeout(ANSWER_MS)
  const signal = AbortSignal.any([options.signal, late])
  try {
    const [line] = (await once(createInterface({ input: socket }), 'line', { signal })) as [string]
    if (options.untilEnd) await closed
    return JSON.parse(line) as T
  } catch (cause) {
    options.signal.throwIfAborted()
    throw new KmigError('SANDBOX', `the sandbox at ${path} gave no answer within ${ANSWER_MS} ms`, { cause })
  } finally {
    closed.catch(() => {})
    socket.destroy()
  }
}
