import { randomBytes } from 'node:crypto'
import { type During, type HostPort, inFlight, isKmigError, messageOf } from '../kit/index.ts'
import { childPath, formatConnectString } from '../zookeeper/index.ts'
import type { End } from './ensembles.ts'
import { type ClientName, clientFor, type OneServer, openServer } from './one-server.ts'

export const LATENCY_OPERATIONS = ['create', 'set', 'get', 'notification', 'delete'] as const
export type LatencyOperation = (typeof LATENCY_OPERATIONS)[number]
/** Of one operation at one server, in ms. */
export type Latency = {
  operation: LatencyOperation
  count: number
  p50Ms: number
  p99Ms: number
  maxMs: number
  perSecond: number
}
export type LatencyReport = {
  to: string
  ops: number
  bytes: number
  window: number
  servers: { server: string; client: ClientName; operations: Latency[] }[]
  elapsedMs: number
}
export type LatencyEvent =
  | { kind: 'progress'; server: string; operation: LatencyOperation; part: number }
  /** Could not be removed at the end. */
  | { kind: 'left'; path: string; why: string }
export type LatencyOptions = During<LatencyEvent> & {
  to: End
  /** Of each kind at each server. */
  ops: number
  /** Data of a znode. */
  bytes: number
  /** Operations without an answer at a time. */
  window: number
  /** For the connection, and for each operation. Default 10,000. */
  withinMs?: number | undefined
}

/**
 * Measures each server in turn, as a client finds it: from the call to the answer; a notification from the
 * call of a write at the next server to the event at this one. All is done below one new znode in the root; what is made
 * there is ephemeral, and all of it is gone at the end. Throws UNREACHABLE, ZK_NO_NODE (no root), ZK_NO_AUTH, TIMEOUT.
 */
export const latency = async (options: LatencyOptions): Promise<LatencyReport> => {
  const { to, ops, bytes, window, signal, withinMs = 10_000 } = options
  const startedAt = performance.now()
  const parent = childPath(to.chroot, `kmig-latency-${randomBytes(6).toString('hex')}`)
  const clients: OneServer[] = []
  const servers: LatencyReport['servers'] = []
  let made = false
  try {
    for (const server of to.servers) {
      clients.push(await openServer({ ...to, server, signal, withinMs }))
    }
    await clients[0]?.create(parent, Buffer.alloc(0), { ephemeral: false })
    made = true
    for (const [i, client] of clients.entries()) {
      const next = clients[(i + 1) % clients.length] ?? client
      const name = clientFor({ ...to, server: to.servers[i] as HostPort })
      const operations = await measure({ client, next, parent }, options)
      servers.push({ server: client.server, client: name, operations })
    }
  } finally {
    await Promise.all(clients.map(client => client[Symbol.asyncDispose]()))
    if (made) {
      await tidy({ to, parent, withinMs }).catch(e =>
        options.on?.({ kind: 'left', path: parent, why: messageOf(e) }),
      )
    }
  }
  const elapsedMs = Math.round(performance.now() - startedAt)
  return { to: formatConnectString(to), ops, bytes, window, servers, elapsedMs }
}

/** Also after a failure or a signal: on a connection and by a signal of its own. The ephemerals went with their sessions. */
const tidy = async ({
  to,
  parent,
  withinMs,
}: {
  to: End
  parent: string
  withinMs: number
}): Promise<void> => {
  const [server] = to.servers
  if (!server) return
  const { signal } = new AbortController()
  await using client = await openServer({ ...to, server, signal, withinMs })
  for (const name of await client.children(parent)) {
    await client.remove(childPath(parent, name)).catch(e => {
      if (!isKmigError(e, 'ZK_NO_NODE')) throw e
    })
  }
  await client.remove(parent)
}

type Bench = { client: OneServer; next: OneServer; parent: string }

const measure = async (
  { client, next, parent }: Bench,
  { ops, bytes, window, signal, on }: LatencyOptions,
): Promise<Latency[]> => {
  const [before, after] = [Buffer.alloc(bytes, 'a'), Buffer.alloc(bytes, 'b')]
  const timed = async (work: () => Promise<unknown>): Promise<number> => {
    const startedAt = performance.now()
    await work()
    return performance.now() - startedAt
  }
  const notified = async (path: string): Promise<number> => {
    const { event } = await client.watch(path)
    const startedAt = performance.now()
    const [at] = await Promise.all([event(), next.set(path, before)])
    return at - startedAt
  }
  const work: Record<LatencyOperation, (path: string) => Promise<number>> = {
    create: path => timed(() => client.create(path, before, { ephemeral: true })),
    set: path => timed(() => client.set(path, after)),
    get: path => timed(() => client.get(path)),
    notification: notified,
    delete: path => timed(() => client.remove(path)),
  }
  const paths = Array.from({ length: ops }, (_, i) => childPath(parent, String(i)))
  const found: Latency[] = []
  for (const operation of LATENCY_OPERATIONS) {
    const tell = (done: number) =>
      on?.({ kind: 'progress', server: client.server, operation, part: done / ops })
    tell(0)
    const took = new Float64Array(ops)
    let done = 0
    const startedAt = performance.now()
    for await (const ms of inFlight(paths, window, work[operation], signal)) {
      took[done++] = ms
      if (done % 100 === 0) tell(done)
    }
    const elapsedMs = performance.now() - startedAt
    found.push({ operation, ...summary(took), perSecond: Math.round((ops * 1_000) / elapsedMs) })
  }
  return found
}

/** Nearest rank: the lowest value that so many of all do not exceed. */
export const summary = (took: Float64Array): Omit<Latency, 'operation' | 'perSecond'> => {
  const sorted = took.toSorted()
  const at = (part: number): number => rounded(sorted[Math.max(0, Math.ceil(part * sorted.length) - 1)] ?? 0)
  return { count: sorted.length, p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1) }
}
const rounded = (ms: number): number => Math.round(ms * 1_000) / 1_000
