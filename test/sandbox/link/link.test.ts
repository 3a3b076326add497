import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { afterAll, expect, onTestFinished, test } from 'vitest'
import { startOf } from '../../../src/kit/index.ts'
import { Link } from '../../../src/sandbox/link/link.ts'
import { Slot } from '../../../src/sandbox/slot.ts'
import { linesOf } from '../../lines-of.ts'

const slot = await Slot.take()
afterAll(() => slot[Symbol.asyncDispose]())
const HOST = `127.${slot.number}.0.1`
let port = 20_000

const echo = (socket: Socket) => {
  socket.on('error', () => {})
  socket.pipe(socket)
}
const source = (bytes: number) => (socket: Socket) => {
  socket.on('error', () => {})
  socket.end(Buffer.alloc(bytes))
}

const linkTo = async (serve: (socket: Socket) => void) => {
  const [listen, target] = [
    { host: HOST, port: port++ },
    { host: HOST, port: port++ },
  ]
  const server = createServer({ allowHalfOpen: true, noDelay: true }, serve)
  await once(server.listen(target), 'listening')
  const link = await Link.open({ listen, target })
  onTestFinished(async () => {
    await link[Symbol.asyncDispose]()
    server.close()
  })
  const dial = async () => {
    const socket = connect({ ...listen, noDelay: true })
    onTestFinished(() => void socket.destroy())
    await once(socket, 'connect')
    return socket
  }
  return { link, dial, server }
}

/** A reset may be here before the connection is told. */
const resetOf = async (dial: () => Promise<Socket>): Promise<NodeJS.ErrnoException> => {
  const [error] = await dial().then(
    socket => once(socket, 'error'),
    (e: unknown) => [e],
  )
  return error
}

const roundTripMs = async (socket: Socket) => {
  const start = performance.now()
  socket.write('x')
  await once(socket, 'data')
  return performance.now() - start
}

const download = async (socket: Socket) => {
  let bytes = 0
  const start = performance.now()
  for await (const chunk of socket) bytes += chunk.length
  return { bytes, ms: performance.now() - start }
}

const silent = (socket: Socket, ms: number) =>
  Promise.race([
    Promise.any(['data', 'end', 'error', 'close'].map(event => once(socket, event))).then(() => false),
    new Promise(resolve => setTimeout(resolve, ms, true)),
  ])

test('a link without a shape passes bytes both ways and counts them', async () => {
  const { link, dial } = await linkTo(source(5_000_000))
  const { bytes } = await download(await dial())
  expect(bytes).toBe(5_000_000)
  expect(await link.counters()).toMatchObject({ connections: { accepted: 1 }, down: { bytes, held: 0 } })
})

/** A machine that is busy with other tests may spoil a measurement. */
const MEASURED = { retry: 3 }

test('a delay is added each way, while connections live, and can be taken back', MEASURED, async () => {
  const { link, dial } = await linkTo(echo)
  const socket = await dial()
  expect(await roundTripMs(socket)).toBeLessThan(25)
  await link.shape({ delayMs: 40 })
  const both = await roundTripMs(socket)
  expect(both).toBeGreaterThanOrEqual(80)
  expect(both).toBeLessThan(120)
  await link.shape({ delayMs: 0 }, 'up')
  expect(await roundTripMs(socket)).toBeGreaterThanOrEqual(40)
  await link.shape({ delayMs: 0 })
  expect(await roundTripMs(socket)).toBeLessThan(25)
})

test('a jitter never changes the order of the bytes', async () => {
  const { link, dial } = await linkTo(echo)
  await link.shape({ jitterMs: 20, sliceBytes: 3 })
  const socket = await dial()
  const sent = Array.from({ length: 50 }, (_, i) => `message ${i}\n`)
  for (const text of sent) socket.write(text)
  socket.end()
  expect((await socket.setEncoding('utf8').toArray()).join('')).toBe(sent.join(''))
})

for (const [rate, total, connections] of [
  [1_000_000, 700_000, 1],
  [20_000_000, 12_000_000, 1],
  [4_000_000, 500_000, 4],
] as const) {
  test(`${connections} connections share ${rate} bytes a second within 20 %`, MEASURED, async () => {
    const { link, dial } = await linkTo(source(total))
    await link.shape({ bytesPerSecond: rate }, 'down')
    const start = performance.now()
    const all = await Promise.all(Array.from({ length: connections }, async () => download(await dial())))
    const seconds = (performance.now() - start) / 1000
    const reached = all.reduce((sum, { bytes }) => sum + bytes, 0) / seconds
    expect(all.every(({ bytes }) => bytes === total)).toBe(true)
    expect(reached / rate).toBeGreaterThan(0.8)
    expect(reached / rate).toBeLessThan(1.2)
  })
}

test('a cut holds bytes and the end of the stream without a word, and healing delivers them', async () => {
  const { link, dial } = await linkTo(echo)
  const socket = await dial()
  await roundTripMs(socket)
  await link.cut()
  socket.end('held')
  expect(await silent(socket, 300)).toBe(true)
  expect((await link.counters()).up.held).toBe(4)
  const text = socket.setEncoding('utf8').toArray()
  await link.heal()
  expect((await text).join('')).toBe('held')
  expect((await link.counters()).up.held).toBe(0)
})

test('a half-open connection delivers one way and holds the other', async () => {
  const { link, dial } = await linkTo(echo)
  const socket = await dial()
  await roundTripMs(socket)
  await link.cut('down')
  socket.write('one way')
  expect(await silent(socket, 200)).toBe(true)
  expect(await link.counters()).toMatchObject({ up: { bytes: 8, held: 0 }, down: { bytes: 1, held: 7 } })
})

test('a full link holds no more than it may and makes the sender wait', async () => {
  const { link, dial } = await linkTo(echo)
  await link.shape({ inFlightBytes: 100_000, cut: true }, 'up')
  const socket = await dial()
  socket.write(Buffer.alloc(50_000_000))
  await expect.poll(async () => (await link.counters()).up.held).toBeGreaterThanOrEqual(100_000)
  expect((await link.counters()).up.held).toBeLessThan(300_000)
})

test('a reset ends every connection at once by RST; new ones are taken', async () => {
  const { link, dial } = await linkTo(echo)
  const socket = await dial()
  await roundTripMs(socket)
  const [[error]] = await Promise.all([once(socket, 'error'), link.reset()])
  expect(error.code).toBe('ECONNRESET')
  expect(await roundTripMs(await dial())).toBeLessThan(100)
})

test('a reset after n bytes passes not one byte more', async () => {
  const { link, dial } = await linkTo(source(1_000_000))
  await link.reset({ direction: 'down', bytes: 12_345 })
  expect((await resetOf(dial)).code).toBe('ECONNRESET')
  expect((await link.counters()).down.bytes).toBe(12_345)
})

test('a link that refuses takes no new connection and keeps the open ones', async () => {
  const { link, dial } = await linkTo(echo)
  const socket = await dial()
  await roundTripMs(socket)
  await link.refuse(true)
  await expect(dial()).rejects.toThrow(/ECONNREFUSED/)
  await roundTripMs(socket)
  await link.refuse(false)
  await roundTripMs(await dial())
})

test('a client of a server that is down is reset, not left waiting', async () => {
  const { dial, server } = await linkTo(echo)
  server.close()
  expect((await resetOf(dial)).code).toBe('ECONNRESET')
})

test('a link at an address that is taken is an error that names it', async () => {
  const { link } = await linkTo(echo)
  const [host = '', taken] = link.address.split(':')
  const listen = { host, port: Number(taken) }
  await expect(Link.open({ listen, target: listen })).rejects.toThrow(/127\.\d+\.0\.1:\d+: .*EADDRINUSE/)
})

test('a link ends with the process that made it, even by SIGKILL', async () => {
  const script = new URL('./holder.ts', import.meta.url).pathname
  const { child, next } = linesOf([script, HOST, String(port++), String(port++)])
  const pid = Number(await next())
  expect(startOf(pid)).toBeDefined()
  child.kill('SIGKILL')
  await expect.poll(() => startOf(pid)).toBeUndefined()
})
