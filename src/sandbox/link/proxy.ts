import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { Lane } from './lane.ts'
import type { Counters, Direction, Endpoint, Shape } from './shape.ts'

/** A seeded generator of numbers in [0, 1): mulberry32, so that a jitter can be had again. */
const seeded = (seed: number) => () => {
  seed = (seed + 0x6d2b79f5) | 0
  let t = Math.imul(seed ^ (seed >>> 15), 1 | seed)
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
  return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
}

/** A TCP proxy whose two directions can be slowed, held and reset. Its loop should serve nobody else. */
export class TcpProxy {
  #listen: Endpoint
  #target: Endpoint
  #server = createServer({ allowHalfOpen: true, noDelay: true }, client => this.#accept(client))
  #lanes: Record<Direction, Lane>
  #connections = new Set<{ client: Socket; server: Socket }>()
  #accepted = 0
  private constructor(listen: Endpoint, target: Endpoint, seed: number) {
    this.#listen = listen
    this.#target = target
    this.#lanes = { up: new Lane(seeded(seed)), down: new Lane(seeded(seed + 1)) }
  }

  static async listen(options: { listen: Endpoint; target: Endpoint; seed: number }): Promise<TcpProxy> {
    const proxy = new TcpProxy(options.listen, options.target, options.seed)
    await proxy.refuse(false)
    return proxy
  }

  shape(directions: readonly Direction[], change: Partial<Shape>): void {
    for (const direction of directions) this.#lanes[direction].change(change)
  }

  reset(after?: { direction: Direction; bytes: number }): void {
    if (after) this.#lanes[after.direction].resetAfter(after.bytes)
    else {
      for (const { client, server } of this.#connections) {
        client.resetAndDestroy()
        server.resetAndDestroy()
      }
    }
  }

  async refuse(on: boolean): Promise<void> {
    if (on === !this.#server.listening) return
    if (on) this.#server.close()
    else await once(this.#server.listen(this.#listen), 'listening')
  }

  counters(): Counters {
    const of = ({ bytes, held }: Lane) => ({ bytes, held })
    return {
      connections: { open: this.#connections.size, accepted: this.#accepted },
      up: of(this.#lanes.up),
      down: of(this.#lanes.down),
    }
  }

  #accept(client: Socket): void {
    const server = connect({ ...this.#target, allowHalfOpen: true, noDelay: true })
    this.#accepted++
    const connection = { client, server }
    this.#connections.add(connection)
    client.on('close', () => this.#connections.delete(connection))
    this.#lanes.up.join(client, server)
    this.#lanes.down.join(server, client)
  }
}
