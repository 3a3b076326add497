import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { expect, test } from 'vitest'
import { smoke, smokeExit } from '../../src/zkcopy/index.ts'

test('a server that takes connections and never speaks is named within the deadline, and let go', async () => {
  const sockets: Socket[] = []
  const server = createServer(socket => sockets.push(socket.on('error', () => {}).resume()))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  const startedAt = performance.now()
  const report = await smoke({
    to: { servers: [{ host: '127.0.0.1', port }], chroot: '/' },
    signal: new AbortController().signal,
    withinMs: 300,
  })
  expect(performance.now() - startedAt).toBeLessThan(5_000)
  expect(report.servers[0]).toMatchObject({
    client: 'node-zookeeper-client',
    failed: { step: 'connect', code: 'UNREACHABLE' },
  })
  expect(smokeExit(report)).toBe(10)
  await Promise.all(sockets.map(socket => socket.destroyed || once(socket, 'close')))
  expect(sockets).toHaveLength(1)
  server.close()
})

test('a signal ends it with its reason', async () => {
  const stop = new AbortController()
  const to = { servers: [{ host: '127.0.0.1', port: 1 }], chroot: '/' }
  const running = smoke({ to, signal: stop.signal, withinMs: 60_000 })
  setTimeout(() => stop.abort(new Error('enough')), 50)
  await expect(running).rejects.toThrow('enough')
})

test('an IPv6 address, which the ordinary client can not read, is asked by the own one', async () => {
  const to = { servers: [{ host: '::1', port: 1 }], chroot: '/' }
  const { servers } = await smoke({ to, signal: new AbortController().signal, withinMs: 300 })
  expect(servers[0]).toMatchObject({ client: 'kmig', failed: { step: 'connect', code: 'UNREACHABLE' } })
})

const failed = (code: 'AUTHENTICATION' | 'UNREACHABLE' | 'ZK' | 'ZK_NO_NODE') => ({
  server: 'h:1',
  client: 'kmig' as const,
  ms: {},
  failed: { step: 'create' as const, code, message: '' },
})
const rows = [
  [[], 0],
  [['ZK_NO_NODE', 'ZK_NO_NODE'], 4],
  [['ZK', 'UNREACHABLE'], 10],
  [['UNREACHABLE', 'AUTHENTICATION'], 5],
  [['ZK_NO_NODE', 'ZK'], 6],
] as const
for (const [codes, exit] of rows) {
  test(`servers that fail with ${codes.join(', ') || 'nothing'} end it with ${exit}`, () => {
    expect(smokeExit({ to: '', servers: codes.map(failed), elapsedMs: 0 })).toBe(exit)
  })
}
