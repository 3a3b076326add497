import { randomBytes } from 'node:crypto'
import {
  type During,
  type ErrorCode,
  formatHostPort,
  isKmigError,
  KmigError,
  messageOf,
  sleep,
} from '../kit/index.ts'
import { childPath, formatConnectString } from '../zookeeper/index.ts'
import type { End } from './ensembles.ts'
import { type ClientName, clientFor, type OneServer, openServer } from './one-server.ts'

export const SMOKE_STEPS = ['connect', 'create', 'list', 'watch', 'delete', 'notify'] as const
export type SmokeStep = (typeof SMOKE_STEPS)[number]
export type SmokeServer = {
  server: string
  client: ClientName
  /** How long each step took, ms; notify from the first deletion on. One that failed or was not reached is absent. */
  ms: Partial<Record<SmokeStep, number>>
  failed: { step: SmokeStep; code: ErrorCode; message: string } | null
}
export type SmokeReport = { to: string; servers: SmokeServer[]; elapsedMs: number }
export type SmokeEvent = { kind: 'step'; step: SmokeStep }
export type SmokeOptions = During<SmokeEvent> & {
  to: End
  /** For each request, and for a server to see what another one did. Default 10,000. */
  withinMs?: number | undefined
}
const POLL_MS = 20

type Party = SmokeServer & {
  connection: OneServer | undefined
  path: string
  events: (() => Promise<number>)[]
}
type Work = (party: Party) => Promise<void>

/**
 * Asks each server for what ordinary clients need: a connection, an ephemeral, a list with the ephemerals of all servers,
 * a notice when they are deleted. A server that fails a step sits out the rest, the others go on without it. All that is
 * made is ephemeral, so that nothing stays even of a run that was killed. Throws only the signal's reason.
 */
export const smoke = async ({ to, signal, on, withinMs = 10_000 }: SmokeOptions): Promise<SmokeReport> => {
  const startedAt = performance.now()
  const run = `kmig-smoke-${randomBytes(6).toString('hex')}`
  const parties: Party[] = to.servers.map((server, i) => ({
    server: formatHostPort(server),
    path: childPath(to.chroot, `${run}-${i}`),
    client: clientFor({ ...to, server }),
    ...{ ms: {}, failed: null, connection: undefined, events: [] },
  }))
  const created = (): Party[] => parties.filter(({ ms }) => ms.create !== undefined)
  const each = async (step: SmokeStep, work: Work): Promise<void> => {
    on?.({ kind: 'step', step })
    const ready = parties.filter(({ failed }) => !failed)
    await Promise.all(ready.map(party => attempt(party, { step, work, signal })))
  }
  try {
    await each('connect', async party => {
      const server = to.servers[parties.indexOf(party)]
      if (server) party.connection = await openServer({ ...to, server, signal, withinMs })
    })
    await each('create', async ({ connection, path, server }) => {
      await connection?.create(path, Buffer.from(server), { ephemeral: true })
    })
    await each('list', async ({ connection, server }) => {
      const wanted = created().map(({ path }) => path)
      const until = performance.now() + withinMs
      for (;;) {
        const names = new Set(await connection?.children(to.chroot))
        const missing = wanted.filter(path => !names.has(path.slice(path.lastIndexOf('/') + 1)))
        if (missing.length === 0) return
        if (performance.now() > until) throw unseen({ server, missing, of: wanted.length, withinMs })
        await sleep(POLL_MS, signal)
      }
    })
    const watched = created()
    await each('watch', async party => {
      for (const { path } of watched) {
        const watch = await party.connection?.watch(path)
        if (!watch?.there) throw new KmigError('ZK_NO_NODE', `${party.server} listed ${path}, and has it not`)
        party.events.push(watch.event)
      }
    })
    const deletedAt = performance.now()
    await each('delete', async ({ connection, path }) => await connection?.remove(path))
    // Of one who failed meanwhile, the ephemeral goes with the session.
    await Promise.all(parties.map(({ failed, connection }) => failed && connection?.[Symbol.asyncDispose]()))
    await each('notify', async ({ events, ms }) => {
      const times = await Promise.all(events.map(event => event()))
      ms.notify = tenth(Math.max(...times) - deletedAt)
    })
  } finally {
    await Promise.all(parties.map(({ failed, connection }) => !failed && connection?.[Symbol.asyncDispose]()))
  }
  const servers = parties.map(({ server, client, ms, failed }) => ({ server, client, ms, failed }))
  const elapsedMs = Math.round(performance.now() - startedAt)
  return { to: formatConnectString(to), servers, elapsedMs }
}

const attempt = async (
  party: Party,
  { step, work, signal }: { step: SmokeStep; work: Work; signal: AbortSignal },
): Promise<void> => {
  const startedAt = performance.now()
  try {
    await work(party)
    party.ms[step] ??= tenth(performance.now() - startedAt)
  } catch (e) {
    signal.throwIfAborted()
    party.failed = { step, code: isKmigError(e) ? e.code : 'ZK', message: messageOf(e) }
  }
}

const tenth = (ms: number): number => Math.round(ms * 10) / 10

const unseen = (found: { server: string; missing: string[]; of: number; withinMs: number }): KmigError =>
  new KmigError(
    'ZK',
    `${found.server} did not list ${found.missing.length} of ${found.of} ephemerals in ${found.withinMs} ms: ${found.missing.join(', ')}`,
  )
