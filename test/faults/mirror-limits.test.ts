import { afterAll, beforeAll, expect, test } from 'vitest'
import { AlterClientQuotas, type Cluster, kafkaJs } from '../../src/kafka/index.ts'
import { parseBootstrap, sleep } from '../../src/kit/index.ts'
import { exitOf, type MirrorEvent, type MirrorOptions, runMirror } from '../../src/mirror/index.ts'
import { MirrorWorld } from '../mirror-world.ts'
import { servers } from '../sandbox-helper.ts'

const MB = 1_000_000

servers('kmig mirror within limits', () => {
  let world: MirrorWorld
  beforeAll(async () => {
    world = await MirrorWorld.open()
  })
  afterAll(async () => {
    await world?.[Symbol.asyncDispose]()
  })

  const run = (topic: string, options: Partial<MirrorOptions> & { untilCaughtUp?: boolean } = {}) => {
    const events: MirrorEvent[] = []
    const at = (side: 'old' | 'new') => ({ name: side, bootstrap: parseBootstrap(world.bootstrap(side)) })
    const started = performance.now()
    const running = runMirror({
      ...{ from: at('old'), to: at('new'), name: topic, topics: [topic], groups: ['none'] },
      ...{ stateDir: world.stateDir, signal: new AbortController().signal, untilCaughtUp: true },
      on: event => events.push(event),
      ...options,
    }).then(report => ({ report, ms: performance.now() - started }))
    running.catch(() => {})
    const throttles = () =>
      events.flatMap(event => (event.kind === 'progress' && event.throttle ? [event.throttle] : []))
    const warnings = () => events.flatMap(event => (event.kind === 'warning' ? [event.text] : []))
    return { running, throttles, warnings }
  }
  const quota = async (cluster: Cluster, key: string, value: number | undefined) => {
    const { entries } = await cluster.any(AlterClientQuotas, {
      entries: [
        {
          entity: [{ type: 'client-id', name: 'kmig' }],
          ops: [{ key, value: value ?? 0, remove: value === undefined }],
        },
      ],
    })
    expect(entries.map(({ errorCode }) => errorCode)).toEqual([0])
    await sleep(1_000)
  }
  const until = async (what: string, is: () => boolean, withinMs = 90_000) => {
    const end = performance.now() + withinMs
    while (!is()) {
      if (performance.now() > end) throw new Error(`not within ${withinMs} ms: ${what}`)
      await sleep(50)
    }
  }

  test('--max-rate holds the copy to its rate, says so, and the copy is equal', async () => {
    await world.fill('paced', { partitions: 3, batches: 30, records: 60 })
    const { running, throttles } = run('paced', { maxRate: MB })
    const { report } = await running
    expect(exitOf(report)).toBe(0)
    expect(report.bytes).toBeGreaterThan(5n * BigInt(MB))
    expect(report.copyMs).toBeGreaterThan(3_000)
    expect(throttles()).toContain('--max-rate')
    await world.expectEqual(['paced'])
  })

  for (const [side, cluster, key] of [
    ['source', 'old', 'consumer_byte_rate'],
    ['target', 'next', 'producer_byte_rate'],
  ] as const)
    test(`a quota of the ${side} is obeyed and shown: no error, and the copy is equal`, async () => {
      const topic = `quota-${side}`
      await world.fill(topic, { partitions: 3, batches: 40, records: 60 })
      await quota(world[cluster], key, 0.4 * MB) // a broker averages over about ten seconds
      try {
        const { running, throttles, warnings } = run(topic)
        const { report } = await running
        expect(exitOf(report)).toBe(0)
        expect(warnings()).toEqual([])
        expect(throttles().join()).toContain(`a quota of the ${side}`)
        expect(report.partitions.flatMap(({ doubts }) => doubts)).toEqual([0, 0, 0])
      } finally {
        await quota(world[cluster], key, undefined)
      }
      await world.expectEqual([topic])
    })

  test('a target whose brokers take small requests only gets batches and requests that fit; a larger record stops with the setting to raise', async () => {
    const small = { 'socket.request.max.bytes': String(MB) }
    await using narrow = await MirrorWorld.open({ new: { config: small } })
    await narrow.make('large', 6, { 'max.message.bytes': String(8 * MB) })
    for (const partition of [0, 1, 2, 3, 4, 5]) {
      await narrow.more('large', partition, { batches: 2, records: 30, size: 100_000 })
      await narrow.more('large', partition, { batches: 3, size: 900_000 })
    }
    expect(exitOf(await narrow.mirror('large', ['large']))).toBe(0)
    await narrow.expectEqual(['large'])
    await narrow.more('large', 1, { batches: 1, size: 2 * MB })
    const report = await narrow.mirror('large', ['large'])
    expect(exitOf(report)).toBe(7)
    const stopped = report.partitions.flatMap(({ stopped }) => stopped ?? [])
    expect(stopped).toEqual([
      expect.objectContaining({
        code: 'RECORD_TOO_LARGE',
        try: [
          expect.stringMatching(
            /^raise socket\.request\.max\.bytes of the target’s brokers to at least 20\d{5}$/,
          ),
        ],
      }),
    ])
  })

  test('partitions of a source that is far away take turns: none waits while the others use the memory up', async () => {
    await using far = await MirrorWorld.open({ old: { listeners: ['link'] } })
    await far.clusters.old.link(1).shape({ delayMs: 40, inFlightBytes: 64 * MB })
    const partitions = Array.from({ length: 12 }, (_, partition) => partition)
    await far.fill('turns', { partitions: 12, batches: 300, records: 60 })
    const copied = run('turns', {
      from: { name: 'old', bootstrap: parseBootstrap(far.bootstrap('old')) },
      to: { name: 'new', bootstrap: parseBootstrap(far.bootstrap('new')) },
      stateDir: far.stateDir,
    }).running
    const ask = partitions.map(partition => ({ topic: 'turns', partition, timestamp: -1n }))
    let ends = partitions.map(() => 0)
    while (ends.reduce((sum, end) => sum + end, 0) < 12 * 9_000) {
      await sleep(20)
      const found = await far.next.listOffsets(ask, { refused: () => {} }).catch(() => undefined) // not made yet
      if (found?.size === 12)
        ends = found
          .values()
          .toArray()
          .map(({ offset }) => Number(offset))
    }
    expect(Math.min(...ends), `half is copied: ${ends}`).toBeGreaterThan(9_000 / 4)
    expect(exitOf((await copied).report)).toBe(0)
  })

  test('a transaction that stays open is named with its producer and its transactional id', async () => {
    await world.fill('held', { batches: 3 })
    const producer = kafkaJs({ brokers: world.clusters.old.bootstrap().split(',') }).producer({
      ...{ transactionalId: 'payments-7', idempotent: true, maxInFlightRequests: 1 },
    })
    await producer.connect()
    const open = await producer.transaction()
    await open.send({ topic: 'held', messages: [{ value: 'not yet' }, { value: 'nor this' }] })
    const stop = new AbortController()
    const { running, warnings } = run('held', { untilCaughtUp: false, signal: stop.signal })
    await until('it is told', () => warnings().some(text => text.includes('open transaction')))
    stop.abort()
    await running
    await open.abort()
    await producer.disconnect()
    expect(warnings()).toEqual([
      expect.stringMatching(
        /^an open transaction holds 2 records back: .*transactional\.id 'payments-7'\) began it at offset 3/,
      ),
    ])
  })

  test('retention that comes nearer than the copy is fast is told before anything is lost', async () => {
    await world.fill('chased', { batches: 50, records: 60 })
    await run('chased').running
    await world.more('chased', 0, { batches: 150, records: 60 })
    const stop = new AbortController()
    const { running, warnings } = run('chased', {
      untilCaughtUp: false,
      signal: stop.signal,
      maxRate: 50_000,
    })
    const end = performance.now() + 120_000
    for (let start = 0n; !warnings().some(text => text.startsWith('source retention passes')); start += 20n) {
      if (performance.now() > end || start > 2_900n)
        throw new Error(`not told before the log began at ${start}`)
      await world.old.deleteRecords([{ topic: 'chased', partition: 0, offset: start }])
      await sleep(100)
    }
    stop.abort()
    const { report } = await running
    expect(exitOf(report)).toBe(0)
    expect(warnings()[0]).toMatch(/^source retention passes the mirror in \d.*offsets\/s/)
  })
})
