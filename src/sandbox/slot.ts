import { createServer, Server } from 'node:net'
import { KmigError } from '../kit/index.ts'

const LAST_SLOT = 199
const SLOT_PORT = 9199
/** Third and fourth part of the address that holds a slot. */
const GUARD = '255.254'

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
    let unbound = 0
    for (let i = 0; i < LAST_SLOT; i++) {
      const number = 1 + ((first + i) % LAST_SLOT)
      const held = await hold(`127.${number}.${GUARD}`)
      if (held instanceof Server) return new Slot(number, held)
      if (held === 'unbound') unbound++
    }
    if (unbound > 0) throw noLoopback()
    throw new KmigError('NO_PROVIDER', `all ${LAST_SLOT} sandbox slots of this machine are taken`, {
      try: ['end a sandbox that is no longer needed: kmig sandbox down'],
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await new Promise(done => this.#server.close(done))
  }
}

const hold = (host: string): Promise<Server | 'taken' | 'unbound'> =>
  new Promise((resolve, reject) => {
    const server = createServer(socket => socket.destroy())
    server.unref()
    server.once('error', (e: NodeJS.ErrnoException) => {
      if (e.code === 'EADDRINUSE') resolve('taken')
      else if (e.code === 'EADDRNOTAVAIL') resolve('unbound')
      else reject(e)
    })
    server.listen({ host, port: SLOT_PORT, exclusive: true }, () => resolve(server))
  })

/** Linux binds all of 127.0.0.0/8; macOS only 127.0.0.1 and what was added. */
const noLoopback = (): KmigError => {
  const hosts = [GUARD, ...[0, 1].flatMap(cluster => [1, 2, 3, 9].map(node => `${cluster}.${node}`))]
  return new KmigError('NO_PROVIDER', 'the sandbox needs loopback addresses that this system does not bind', {
    try: [`for a in ${hosts.join(' ')}; do sudo ifconfig lo0 alias 127.1.$a; done`],
  })
}
