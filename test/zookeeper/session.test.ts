import { once } from 'node:events'
import { type AddressInfo, connect, createServer } from 'node:net'
import { networkInterfaces } from 'node:os'
import { expect, test } from 'vitest'
import { sleep } from '../../src/kit/index.ts'
import {
  CODE,
  create,
  getData,
  hasMultiRead,
  multi,
  OPEN_ACL,
  parseConnectString,
  type SessionEvent,
  type SessionOptions,
  ZkSession,
} from '../../src/zookeeper/index.ts'
import { type FakeOptions, FakeServer } from './fake-server.ts'

/** Some containers have no IPv6 at all. */
const ipv6 = Object.values(networkInterfaces())
  .flat()
  .some(one => one?.address === '::1')
const opened = async (options: FakeOptions = {}, session: Partial<SessionOptions> = {}) => {
  const server = await FakeServer.start(options)
  server.put('/a', 'data of a')
  const events: SessionEvent['kind'][] = []
  const zk = await ZkSession.open({
    servers: [server.address],
    on: ({ kind }) => events.push(kind),
    ...session,
  })
  return {
    server,
    zk,
    events,
    async [Symbol.asyncDispose]() {
      await zk.close()
      await server[Symbol.asyncDispose]()
    },
  }
}
const read = async (zk: ZkSession, path = '/a') => String((await zk.call(getData, { path })).value?.data)

test('requests are answered in order without waiting for each other', async () => {
  await using fake = await opened()
  for (let i = 0; i < 300; i++) fake.server.put(`/n${i}`, String(i))
  const answers = await Promise.all(Array.from({ length: 300 }, (_, i) => read(fake.zk, `/n${i}`)))
  expect(answers).toEqual(Array.from({ length: 300 }, (_, i) => String(i)))
  const each = await fake.zk.callEach(getData, [{ path: '/n7' }, { path: '/none' }, { path: '/n8' }])
  expect(each.map(({ code, value }) => [code, value && String(value.data)])).toEqual([
    [0, '7'],
    [-101, undefined],
    [0, '8'],
  ])
})

for (const fault of ['lose-request', 'lose-reply', 'cut-reply'] as const) {
  test(`a read under ${fault} is sent again in the same session, and answered`, async () => {
    await using fake = await opened({ fault: ({ number }) => (number === 1 ? fault : undefined) })
    expect(await read(fake.zk)).toBe('data of a')
    await sleep(1)
    expect(fake.events).toEqual(['lost', 'reconnected'])
    expect(fake.server).toMatchObject({ connections: 2, sessionsBegun: 1 })
  })
  test(`a write under ${fault} fails at once as of unknown outcome, and the session goes on`, async () => {
    await using fake = await opened({ fault: ({ number }) => (number === 1 ? fault : undefined) })
    const ops = [{ kind: 'create', path: '/b', data: null, acl: OPEN_ACL } as const]
    await expect(fake.zk.call(multi, ops)).rejects.toMatchObject({
      code: 'DISCONNECTED',
      message: expect.stringContaining('outcome is unknown'),
    })
    expect(fake.server.nodes.has('/b')).toBe(fault !== 'lose-request')
    expect(await read(fake.zk)).toBe('data of a')
  })
}

test('a request that breaks each connection fails by name instead of being sent for ever', async () => {
  await using fake = await opened({ maxBytes: 200 })
  await expect(read(fake.zk, `/${'x'.repeat(300)}`)).rejects.toMatchObject({
    code: 'DISCONNECTED',
    message: expect.stringContaining('getData was sent 5 times'),
  })
  expect(await read(fake.zk)).toBe('data of a')
})

test('a server that falls silent is given up after two thirds of the session timeout', async () => {
  await using fake = await opened({
    timeoutMs: 600,
    fault: ({ number }) => (number === 1 ? 'silence' : undefined),
  })
  const start = performance.now()
  expect(await read(fake.zk)).toBe('data of a')
  const ms = performance.now() - start
  expect(ms).toBeGreaterThan(350)
  expect(ms).toBeLessThan(8_000)
})

test('an idle session is kept alive by pings', async () => {
  await using fake = await opened({ timeoutMs: 900 })
  await sleep(2_000)
  expect(fake.events).toEqual([])
  expect(await read(fake.zk)).toBe('data of a')
})

test('an expired session is followed by a new one, and what waited is answered', async () => {
  await using fake = await opened({ resumes: () => false })
  fake.server.drop()
  await sleep(5)
  expect(await read(fake.zk)).toBe('data of a')
  expect(fake.events).toEqual(['lost', 'expired', 'reconnected'])
  expect(fake.server.sessionsBegun).toBe(2)
})

test('a watch of all below a znode is set anew after a lost connection, and tells what happens then', async () => {
  const seen: string[] = []
  await using fake = await opened({}, { onWatch: ({ kind, path }) => seen.push(`${kind} ${path}`) })
  expect(await fake.zk.watch('/a')).toEqual({ code: 0 })
  fake.server.tell(3, '/a')
  fake.server.tell(1, '/elsewhere')
  await expect.poll(() => seen).toEqual(['data /a'])
  fake.server.drop()
  await expect.poll(() => fake.events).toEqual(['lost', 'reconnected'])
  await read(fake.zk)
  fake.server.tell(1, '/a/b')
  fake.server.tell(2, '/a/b')
  await expect.poll(() => seen).toEqual(['data /a', 'created /a/b', 'deleted /a/b'])
})

test('servers before 3.6 say that they know no such watch, and nothing is set anew later', async () => {
  await using fake = await opened({ addWatch: 'unimplemented' })
  expect(await fake.zk.watch('/a')).toEqual({ code: CODE.Unimplemented })
  fake.server.drop()
  expect(await read(fake.zk)).toBe('data of a')
  expect(fake.server.requests).toEqual([106, 4])
})

test('a server that has lost its quorum is told as read-only, and taken again when it has one', async () => {
  let readOnly = true
  await using server = await FakeServer.start({ readOnly: () => readOnly })
  server.put('/a', 'data of a')
  const servers = [server.address]
  await expect(ZkSession.open({ servers, withinMs: 600 })).rejects.toMatchObject({
    code: 'UNREACHABLE',
    message: expect.stringMatching(/127\.203\.0\.3:\d+ is read-only: it has lost its quorum/),
  })
  const opening = ZkSession.open({ servers, withinMs: 8_000 })
  await sleep(300)
  readOnly = false
  await using zk = await opening
  expect(await read(zk)).toBe('data of a')
})

test.skipIf(!ipv6)('a server at an IPv6 address is spoken to by [::1]:port', async () => {
  await using server = await FakeServer.start()
  server.put('/a', 'data of a')
  const relay = createServer(socket => {
    const to = connect(server.port, server.address.host)
    socket.pipe(to).pipe(socket)
    for (const each of [socket, to]) each.on('error', () => {})
  })
  relay.listen(0, '::1')
  await once(relay, 'listening')
  const { port } = relay.address() as AddressInfo
  const { servers, chroot } = parseConnectString(`[::1]:${port}/a`)
  const zk = await ZkSession.open({ servers })
  expect([zk.address, await read(zk, chroot)]).toEqual([`[::1]:${port}`, 'data of a'])
  await zk.close()
  relay.close()
})

test('credentials are sent before any request, on each connection', async () => {
  await using fake = await opened({}, { auth: [{ scheme: 'digest', secret: Buffer.from('u:p') }] })
  await read(fake.zk)
  fake.server.drop()
  await sleep(300)
  await read(fake.zk)
  expect(fake.server.requests).toEqual([100, 4, 100, 4])
})

test('when no server answers any more, every promise fails with the address and how long it was tried', async () => {
  const fake = await opened({ fault: () => 'silence', timeoutMs: 300 }, { withinMs: 400 })
  const waiting = [
    read(fake.zk),
    read(fake.zk),
    fake.zk.call(create, { path: '/c', data: null, acl: OPEN_ACL }),
  ]
  const settled = Promise.allSettled(waiting)
  await sleep(20)
  await fake.server[Symbol.asyncDispose]()
  const codes = (await settled).map(result => result.status === 'rejected' && result.reason.code)
  expect(codes).toEqual(['UNREACHABLE', 'UNREACHABLE', 'DISCONNECTED'])
  await expect(read(fake.zk)).rejects.toMatchObject({ code: 'UNREACHABLE', exit: 10 })
})

test('a closed session leaves no timer that would hold up the end of the process', async () => {
  const timers = () => process.getActiveResourcesInfo().filter(name => name === 'Timeout').length
  const before = timers()
  await using server = await FakeServer.start()
  const zk = await ZkSession.open({ servers: [server.address] })
  await zk.close()
  await sleep(5)
  expect(timers()).toBeLessThanOrEqual(before)
})

test('calls in flight fail when the session is closed under them', async () => {
  const fake = await opened({ fault: ({ opcode }) => (opcode === 4 ? 'silence' : undefined) })
  const waiting = read(fake.zk)
  waiting.catch(() => {})
  await fake.zk.close()
  await expect(waiting).rejects.toMatchObject({ code: 'DISCONNECTED' })
  await fake.server[Symbol.asyncDispose]()
})

test('what is no ZooKeeper is said to be none', async () => {
  const server = createServer(socket =>
    socket.on('error', () => {}).end('HTTP/1.1 400 Bad Request\r\n\r\n'),
  ).listen(0, '127.203.0.3')
  await new Promise(resolve => server.once('listening', resolve))
  const address = server.address()
  const port = typeof address === 'object' && address ? address.port : 0
  await expect(
    ZkSession.open({ servers: [{ host: '127.203.0.3', port }], withinMs: 300 }),
  ).rejects.toMatchObject({ code: 'UNREACHABLE', message: expect.stringContaining('no ZooKeeper') })
  server.close()
})

test('a port that accepts and never answers is given up in time', async () => {
  const server = createServer(() => {}).listen(0, '127.203.0.3')
  await new Promise(resolve => server.once('listening', resolve))
  const address = server.address()
  const port = typeof address === 'object' && address ? address.port : 0
  const opening = ZkSession.open({ servers: [{ host: '127.203.0.3', port }], withinMs: 600 })
  await expect(opening).rejects.toMatchObject({ message: expect.stringMatching(/no answer within 0\.\d+ s/) })
  server.close()
})

for (const [multiRead, known] of [
  ['yes', true],
  ['unimplemented', false],
  ['close', false],
] as const) {
  test(`a server that answers multiRead by '${multiRead}' ${known ? 'has' : 'lacks'} it`, async () => {
    await using server = await FakeServer.start({ multiRead })
    expect(await hasMultiRead({ servers: [server.address] })).toBe(known)
  })
}
