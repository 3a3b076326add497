import { createServer, type Server } from 'node:net'
import { KmigError } from '../kit/index.ts'

const LAST_SLOT = 199
const SLOT_PORT = 9199

/**
 * One of the sandbox's ranges of addresses, `127.<n>.*.*`. It is held by a listening socket, which the kernel gives
 * back with the process however it ends, and which every user and container of this network sees.
 * Throws NO_PROVIDER where the system binds nothing but 127.0.0.1, or every slot is taken.
 */
export class Slot implements AsyncDisposable {
  readonly number: number
  #server: Server
  private constructor(number: number, server: Server) {
    this.number = number
    this.#server = server
  }

  static async take(): Promise<Slot> {
    const first = process.pid // spreads those who start at the same time
    for (let i = 0; i < LAST_SLOT; i++) {
      const number = 1 + ((first + i) % LAST_SLOT)
      const server = await hold(`127.${number}.255.254`)
      if (server) return new Slot(number, server)
    }
    throw new KmigError('NO_PROVIDER', `all ${LAST_SLOT} sandbox slots of this machine are taken`, {
      try: ['end a sandbox that is no longer needed: kmig sandbox down'],
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await new Promise(done => this.#server.close(done))
  }
}

const hold = (host: string): Promise<Server | undefined> =>
  new Promise((resolve, reject) => {
    const server = createServer(socket => socket.destroy())
    server.unref()
    server.once('error', (e: NodeJS.ErrnoException) => {
      if (e.code === 'EADDRINUSE') resolve(undefined)
      else reject(noLoopback(host, e))
    })
    server.listen({ host, port: SLOT_PORT, exclusive: true }, () => resolve(server))
  })

const noLoopback = (host: string, cause: Error): KmigError =>
  new KmigError('NO_PROVIDER', `the loopback address ${host} can't be bound: ${cause.message}`, {
    cause,
    try: ['run it on Linux, where all of 127.0.0.0/8 is bound (macOS binds 127.0.0.1 only)'],
  })
