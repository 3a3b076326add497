import { afterAll, beforeAll, expect, test } from 'vitest'
import { ATTRIBUTE } from '../../src/kafka/index.ts'
import { Offset, sleep } from '../../src/kit/index.ts'
import { exitOf, MirrorState } from '../../src/mirror/index.ts'
import { StateTopic } from '../../src/offsets/index.ts'
import { committedOf, headersOf, MirrorWorld } from '../mirror-world.ts'
import { servers } from '../sandbox-helper.ts'

const KEYS = 3_000
const BATCH = 50

servers('a compacted topic with translated offsets', () => {
  let world: MirrorWorld
  beforeAll(async () => {
    world = await MirrorWorld.open({ new: { listeners: ['link'] } })
  })
  afterAll(async () => await world?.[Symbol.asyncDispose]())

  test('compaction thins the source between the read of a killed process and that of the next: its producer is shut out, a fresh one goes on, each record is there once, and the map of every offset is exact', async () => {
    const topic = 'thinned'
    await world.make(topic, 1, {
      'cleanup.policy': 'compact',
      'segment.ms': '200',
      'min.cleanable.dirty.ratio': '0.001',
      'min.compaction.lag.ms': '0',
    })
    const write = async (round: number, from: number, to: number) => {
      for (let key = from; key < to; key += BATCH)
        await world.write(
          world.old,
          topic,
          Array.from({ length: BATCH }, (_, i) => ({
            key: Buffer.from(`${key + i}`),
            value: Buffer.alloc(1_000, `${round}/${key + i} `),
            timestamp: BigInt(Date.now()),
          })),
        )
    }
    await write(0, 0, KEYS)
    await world.clusters.new.link(1).shape({ bytesPerSecond: 150_000 })
    const { process: child, ended } = world.command('t', [topic], '--offsets', 'translated')
    while ((await world.total(world.next, [topic])) === 0n) await sleep(20)
    child.kill('SIGKILL')
    expect((await ended).signal).toBe('SIGKILL')
    await world.clusters.new.link(1).shape({ bytesPerSecond: Number.POSITIVE_INFINITY })
    const copied = await world.total(world.next, [topic])
    expect(copied).toBeLessThan(BigInt(KEYS))

    const thin = async () =>
      (await committedOf(world.old, topic, 0)).filter(({ offset }) => offset >= copied && offset < KEYS)
        .length
    const before = await thin()
    for (let round = 1; (await thin()) >= before; round++) {
      if (round > 60) throw new Error('fault not injected: nothing was compacted between the two reads')
      await write(round, Math.floor(KEYS / 2 / BATCH) * BATCH, KEYS)
      await sleep(1_000)
    }
    const sent = async () => {
      const state = await StateTopic.read(world.next, 't', { signal: AbortSignal.timeout(20_000) })
      return state && new MirrorState(state).sent(`${topic}-0`)
    }
    const left = await sent()
    expect(
      left?.to,
      'fault not injected: the killed process had sent no more than what landed',
    ).toBeGreaterThan(copied)

    const report = await world.mirror('t', [topic], { offsets: 'translated' })
    expect(exitOf(report)).toBe(0)
    expect(report.partitions[0]).toMatchObject({ mode: 'translated', stopped: undefined })
    expect(exitOf(await world.mirror('t', [topic], { offsets: 'translated' }))).toBe(0)

    const state = await StateTopic.read(world.next, 't', { signal: AbortSignal.timeout(20_000) })
    if (!state) throw new Error('no state')
    const known = new MirrorState(state)
    const headers = await headersOf(world.next, topic, 0)
    const writers = new Set(
      headers.filter(({ attributes }) => !(attributes & ATTRIBUTE.control)).map(each => each.producerId),
    )
    expect(writers.size).toBe(2)
    const shut = headers.filter(({ attributes }) => attributes & ATTRIBUTE.control)
    expect(shut.map(each => [each.producerId, each.producerEpoch])).toEqual([[known.identity?.producerId, 1]])

    const [theirs, ours] = [await committedOf(world.old, topic, 0), await committedOf(world.next, topic, 0)]
    const at = new Map(ours.map(({ offset, seen }) => [offset, seen]))
    expect(at.size).toBe(ours.length)
    expect(new Set(ours.map(({ seen }) => seen)).size).toBe(ours.length)
    const { map } = known.map(topic, 0)
    const end = Offset([...(await world.ends(world.old, [topic])).values()][0] ?? 0n)
    for (const { offset, seen } of theirs) {
      const image = map.toTarget(Offset(offset), end)
      expect([offset, image.kind === 'exact' && at.get(image.at)]).toEqual([offset, seen])
    }
    const checked = await world.run(
      ...['verify', '--from', world.bootstrap('old'), '--to', world.bootstrap('new'), '--name', 't'],
      ...['--topics', topic, '--state-dir', world.stateDir],
    ).ended
    expect(checked.code).toBe(0)
  })
})
