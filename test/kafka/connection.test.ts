import { setTimeout as wait } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { Connection, Fetch, InitProducerId, ListGroups, Metadata, Produce } from '../../src/kafka/index.ts'
import { apiVersions, FakeBroker, type Handler } from './fake-broker.ts'

const METADATA = { throttleTimeMs: 0, brokers: [], clusterId: 'c', controllerId: 1, topics: [] }
const metadata: Handler = ({ reply }) => reply(METADATA)
const ask = (connection: Connection, options: { timeoutMs?: number; signal?: AbortSignal } = {}) =>
  connection.send(Metadata, { topics: null }, { timeoutMs: 5_000, ...options })
const code = (expected: string, message: RegExp = /./) =>
  expect.objectContaining({ code: expected, message: expect.stringMatching(message) })

describe('answers', () => {
  test('come to the requests that they belong to, however many are on the way', async () => {
    await using broker = await FakeBroker.listen({
      Metadata: metadata,
      InitProducerId: ({ reply }) =>
        reply({ throttleTimeMs: 0, errorCode: 0, producerId: 2n ** 40n, producerEpoch: 3 }),
    })
    await using connection = await Connection.open(broker.address)
    const answers = await Promise.all([
      ask(connection),
      connection.send(InitProducerId, {}, { timeoutMs: 5_000 }),
      ask(connection),
    ])
    expect(answers.map(each => ('producerId' in each ? each.producerId : each.clusterId))).toEqual([
      'c',
      2n ** 40n,
      'c',
    ])
    expect(broker.asked).toEqual(['ApiVersions', 'Metadata', 'InitProducerId', 'Metadata'])
  })

  for (const slice of [1, 3, 7, 1_000]) {
    test(`are put together from slices of ${slice} bytes`, async () => {
      await using broker = await FakeBroker.listen({
        Metadata: ({ frame, socket }) => {
          const bytes = Buffer.concat([frame({ ...METADATA, clusterId: 'x'.repeat(500) })])
          for (let at = 0; at < bytes.length; at += slice) socket.write(bytes.subarray(at, at + slice))
        },
      })
      await using connection = await Connection.open(broker.address)
      const answers = await Promise.all(Array.from({ length: 5 }, () => ask(connection)))
      expect(answers.every(({ clusterId }) => clusterId?.length === 500)).toBe(true)
    })
  }

  test('of records are views of one frame that nothing overwrites', async () => {
    let fill = 0
    await using broker = await FakeBroker.listen({
      Fetch: ({ reply }) => {
        const part = { errorCode: 0, highWatermark: 9n, lastStableOffset: 9n, abortedTransactions: null }
        const records = Buffer.alloc(300_000, ++fill)
        reply({
          throttleTimeMs: 0,
          topics: [{ topic: 't', partitions: [{ partition: 0, ...part, records }] }],
        })
      },
    })
    await using connection = await Connection.open(broker.address)
    const request = { maxWaitMs: 1, minBytes: 1, maxBytes: 1, isolationLevel: 0, topics: [] }
    const answers = []
    for (let i = 0; i < 4; i++) answers.push(await connection.send(Fetch, request, { timeoutMs: 5_000 }))
    const records = answers.map(({ topics }) => topics[0]?.partitions[0]?.records)
    records.forEach((each, i) => {
      expect(each?.every(byte => byte === i + 1)).toBe(true)
      expect(each?.buffer.byteLength).toBeLessThan(301_000)
    })
  })
})

test('records are sent from the pieces that were given', async () => {
  const pieces = [Buffer.alloc(61, 1), Buffer.alloc(100_000, 2), Buffer.alloc(5_000, 3)]
  let sent: unknown
  await using broker = await FakeBroker.listen({
    Produce: ({ request, reply }) => {
      sent = request
      reply({ topics: [], throttleTimeMs: 0 })
    },
  })
  await using connection = await Connection.open(broker.address)
  const topics = [{ topic: 't', partitions: [{ partition: 3, records: pieces }] }]
  await connection.send(Produce, { acks: -1, timeoutMs: 1_000, topics }, { timeoutMs: 5_000 })
  expect(sent).toMatchObject({
    topics: [{ partitions: [{ partition: 3, records: Buffer.concat(pieces) }] }],
  })
  expect(connection.bytesOut).toBeGreaterThan(105_061)
})

describe('versions', () => {
  test('are the highest that both sides speak', async () => {
    await using broker = await FakeBroker.listen({
      ApiVersions: ({ reply }) => reply(apiVersions({ Fetch: 10, ListGroups: 99, Produce: 2 })),
    })
    await using connection = await Connection.open(broker.address)
    expect(connection.supports(Fetch)).toBe(10)
    expect(connection.supports(ListGroups)).toBe(5)
    expect(connection.supports(Produce)).toBeUndefined()
    const produce = { acks: -1, timeoutMs: 1, topics: [] }
    await expect(connection.send(Produce, produce, { timeoutMs: 100 })).rejects.toEqual(
      code('UNSUPPORTED', /speaks Produce in versions 2\.\.2, kmig needs 3\.\.11/),
    )
  })
  test('are asked for again in v0 of a broker that knows only that', async () => {
    const versions: number[] = []
    await using broker = await FakeBroker.listen({
      ApiVersions: ({ socket, version, correlationId, reply }) => {
        versions.push(version)
        if (version === 0) return reply(apiVersions())
        const refusal = Buffer.alloc(14)
        refusal.writeInt32BE(10)
        refusal.writeInt32BE(correlationId, 4)
        refusal.writeInt16BE(35, 8)
        socket.write(refusal)
      },
      Metadata: metadata,
    })
    await using connection = await Connection.open(broker.address)
    expect(versions).toEqual([3, 0])
    expect((await ask(connection)).clusterId).toBe('c')
  })
})

describe('a connection that breaks', () => {
  const silent: Handler = () => {}
  test('in the middle of a frame fails all that wait, once each', async () => {
    await using broker = await FakeBroker.listen({
      Metadata: ({ frame, socket }) => {
        socket.write(frame(METADATA).subarray(0, 9), () => socket.destroy())
      },
      ListGroups: silent,
    })
    await using connection = await Connection.open(broker.address)
    const results = await Promise.allSettled([
      ask(connection),
      connection.send(ListGroups, {}, { timeoutMs: 5_000 }),
    ])
    expect(results.map(each => each.status === 'rejected' && each.reason)).toEqual([
      code('DISCONNECTED', /closed by the server; Metadata v12 was not answered/),
      code('DISCONNECTED', /ListGroups v5 was not answered/),
    ])
    expect(connection.closed).toBe(true)
    expect(await connection.ended).toEqual(code('DISCONNECTED'))
    await expect(ask(connection)).rejects.toEqual(code('DISCONNECTED'))
  })

  test('by a request that is not answered in time is reset, and says which', async () => {
    await using broker = await FakeBroker.listen({ Metadata: silent, ListGroups: silent })
    await using connection = await Connection.open(broker.address)
    const late = ask(connection, { timeoutMs: 30 })
    const other = connection.send(ListGroups, {}, { timeoutMs: 5_000 })
    await expect(late).rejects.toEqual(code('TIMEOUT', /Metadata v12 was not answered by .* within 30 ms/))
    await expect(other).rejects.toEqual(code('DISCONNECTED', /was reset, as Metadata v12/))
    expect(connection.closed).toBe(true)
  })

  test('by a request behind a slow one, whose time is over first', async () => {
    await using broker = await FakeBroker.listen({ Metadata: silent })
    await using connection = await Connection.open(broker.address)
    const slow = ask(connection, { timeoutMs: 5_000 })
    const quick = ask(connection, { timeoutMs: 30 })
    await expect(quick).rejects.toEqual(code('TIMEOUT', /within 30 ms/))
    await expect(slow).rejects.toEqual(code('DISCONNECTED'))
  })

  test('by a signal gives the reason of the signal, and ends the others', async () => {
    await using broker = await FakeBroker.listen({ Metadata: silent, ListGroups: silent })
    await using connection = await Connection.open(broker.address)
    const stop = new AbortController()
    const aborted = ask(connection, { signal: stop.signal })
    const other = connection.send(ListGroups, {}, { timeoutMs: 5_000 })
    const reason = new Error('enough')
    stop.abort(reason)
    await expect(aborted).rejects.toBe(reason)
    await expect(other).rejects.toEqual(code('DISCONNECTED', /aborted/))
    expect(connection.closed).toBe(true)
  })

  test('is not broken by a signal that comes before the request, or after its answer', async () => {
    await using broker = await FakeBroker.listen({ Metadata: metadata })
    await using connection = await Connection.open(broker.address)
    const stop = new AbortController()
    await ask(connection, { signal: stop.signal })
    stop.abort(new Error('too late'))
    await expect(ask(connection, { signal: stop.signal })).rejects.toThrow('too late')
    expect((await ask(connection)).clusterId).toBe('c')
  })

  test('by reset() reaches the server as a reset', async () => {
    await using broker = await FakeBroker.listen({ Metadata: silent })
    await using connection = await Connection.open(broker.address)
    const [socket] = broker.sockets
    const seen = new Promise(resolve => socket?.on('error', resolve))
    const asked = ask(connection)
    connection.reset()
    await expect(asked).rejects.toEqual(code('DISCONNECTED', /was reset; Metadata/))
    expect(await seen).toMatchObject({ code: 'ECONNRESET' })
  })
})

describe('what is not Kafka is refused', () => {
  const speaker = (text: string | Buffer) =>
    FakeBroker.listen({ ApiVersions: ({ socket }) => void socket.write(text) })
  const rows: [string, string | Buffer, RegExp][] = [
    ['a web server', 'HTTP/1.1 400 Bad Request\r\n', /length of 1213486160 bytes \(its first are 'HTTP'\)/],
    ['a negative length', Buffer.from([255, 255, 255, 255]), /length of -1 bytes/],
    ['a TLS alert', Buffer.from([0x15, 3, 3, 0, 2, 2, 0x46]), /length of/],
  ]
  for (const [name, text, message] of rows) {
    test(name, async () => {
      await using broker = await speaker(text)
      await expect(Connection.open(broker.address)).rejects.toEqual(code('PROTOCOL', message))
    })
  }
  test('a port that says nothing', async () => {
    await using broker = await FakeBroker.listen({ ApiVersions: () => {} })
    await expect(Connection.open(broker.address, { timeoutMs: 60 })).rejects.toEqual(
      code('TIMEOUT', /ApiVersions v3 was not answered/),
    )
    await wait(20)
    expect(broker.sockets.size).toBe(0)
  })
  test('a port that hangs up', async () => {
    await using broker = await FakeBroker.listen({ ApiVersions: ({ socket }) => void socket.end() })
    await expect(Connection.open(broker.address)).rejects.toEqual(code('DISCONNECTED'))
  })

  test('an answer to another request than the one that is due', async () => {
    await using broker = await FakeBroker.listen({
      Metadata: ({ socket, frame }) => {
        const bytes = frame(METADATA)
        bytes.writeInt32BE(77, 4)
        socket.write(bytes)
      },
    })
    await using connection = await Connection.open(broker.address)
    await expect(ask(connection)).rejects.toEqual(code('PROTOCOL', /an answer to request 77 came, 1/))
  })
  test('an answer that was not asked for', async () => {
    await using broker = await FakeBroker.listen({
      Metadata: ({ reply }) => {
        reply(METADATA)
        reply(METADATA)
      },
    })
    await using connection = await Connection.open(broker.address)
    await ask(connection)
    expect(await connection.ended).toEqual(code('PROTOCOL', /nothing was asked/))
  })
  test('an answer longer than its layout', async () => {
    await using broker = await FakeBroker.listen({
      Metadata: ({ socket, frame }) => {
        const bytes = Buffer.concat([frame(METADATA), Buffer.from([0])])
        bytes.writeInt32BE(bytes.length - 4)
        socket.write(bytes)
      },
    })
    await using connection = await Connection.open(broker.address)
    await expect(ask(connection)).rejects.toEqual(code('PROTOCOL', /Metadata v12: 1 bytes more/))
    expect(connection.closed).toBe(true)
  })
})

describe('an address that nobody serves', () => {
  const closedPort = async () => {
    await using broker = await FakeBroker.listen()
    return broker.address
  }
  test('is UNREACHABLE, with the address and the time', async () => {
    const address = await closedPort()
    await expect(Connection.open(address)).rejects.toEqual(
      code('UNREACHABLE', new RegExp(`^127.0.0.1:${address.port}: connection refused after \\d+ ms$`)),
    )
  })
  test('is left when the signal comes, and at once when it came before', async () => {
    const opening = Connection.open(
      { host: '192.0.2.1', port: 9 },
      { timeoutMs: 5_000, signal: AbortSignal.timeout(30) },
    )
    await expect(opening).rejects.toThrow()
    const address = await closedPort()
    await expect(Connection.open(address, { signal: AbortSignal.abort(new Error('no')) })).rejects.toThrow(
      'no',
    )
  })
  test('is UNREACHABLE when no connection comes about in time', async () => {
    await expect(Connection.open({ host: '192.0.2.1', port: 9 }, { timeoutMs: 40 })).rejects.toEqual(
      code('UNREACHABLE'),
    )
  })
})

test('an idle connection keeps no timer', async () => {
  await using broker = await FakeBroker.listen({ Metadata: metadata })
  const timers = () => process.getActiveResourcesInfo().filter(name => name === 'Timeout').length
  const before = timers()
  await using connection = await Connection.open(broker.address)
  await ask(connection)
  expect(timers()).toBe(before)
})
