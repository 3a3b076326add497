import { expect, test } from 'vitest'
import { createTopics } from '../../src/kafka/index.ts'
import { sleep } from '../../src/kit/index.ts'
import { exitOf } from '../../src/mirror/index.ts'
import { HOURS_48, MirrorWorld, seeded } from '../mirror-world.ts'
import { servers } from '../sandbox-helper.ts'

const TOPICS = ['plain', 'small', 'old']

/** About 30 MB: large batches, one-record batches, and records of two days ago. */
const filled = async (specs: Parameters<typeof MirrorWorld.open>[0] = {}): Promise<MirrorWorld> => {
  const world = await MirrorWorld.open({ old: { listeners: ['link'] }, ...specs })
  await world.fill('plain', { partitions: 3, batches: 100, records: 60 })
  await world.fill('small', { partitions: 3, batches: 700, size: 700 })
  await world.fill('old', { partitions: 3, batches: 50, records: 60, agedMs: HOURS_48 })
  await world.clusters.old.link(1).shape({ bytesPerSecond: 4 << 20 })
  return world
}
const faster = (world: MirrorWorld) =>
  world.clusters.old.link(1).shape({ bytesPerSecond: Number.POSITIVE_INFINITY })

servers('kmig mirror while brokers fail', () => {
  test('the target’s only broker is killed in mid-copy and comes back: the copy goes on and is equal', async () => {
    await using world = await filled()
    const running = world.mirror('m', TOPICS)
    await world.copied(TOPICS, 0.2)
    const broker = world.clusters.new.node(1)
    const { pid } = broker
    await broker.stop('kill')
    expect(broker.pid).toBeUndefined()
    await sleep(2_000)
    await broker.start()
    expect(broker.pid).not.toBe(pid)
    expect(await world.total(world.next, TOPICS)).toBeLessThan(await world.total(world.old, TOPICS))
    await faster(world)
    const report = await running
    expect(exitOf(report)).toBe(0)
    expect(report.partitions.reduce((sum, { doubts }) => sum + doubts, 0)).toBeGreaterThan(0)
    await world.expectEqual(TOPICS)
  })

  test('the source’s only broker is killed in mid-copy and comes back: the copy goes on and is equal', async () => {
    await using world = await filled()
    const running = world.mirror('m', TOPICS)
    await world.copied(TOPICS, 0.2)
    const broker = world.clusters.old.node(1)
    const { pid } = broker
    const total = await world.total(world.old, TOPICS)
    await broker.stop('kill')
    expect(broker.pid).toBeUndefined()
    expect(await world.total(world.next, TOPICS)).toBeLessThan(total)
    await sleep(2_000)
    await broker.start()
    expect(broker.pid).not.toBe(pid)
    await faster(world)
    expect(exitOf(await running)).toBe(0)
    await world.expectEqual(TOPICS)
  })

  test('the target’s broker stands still for 40 s, longer than a request waits, and goes on: nothing is written twice', async () => {
    await using world = await filled()
    const running = world.mirror('m', TOPICS)
    await world.copied(TOPICS, 0.2)
    const broker = world.clusters.new.node(1)
    broker.pause()
    await faster(world)
    await sleep(40_000)
    broker.resume()
    const report = await running
    expect(exitOf(report)).toBe(0)
    expect(report.partitions.reduce((sum, { doubts }) => sum + doubts, 0)).toBeGreaterThan(0)
    await world.expectEqual(TOPICS)
  })

  test('every broker of the target is away for 75 s, longer than any request is tried, under live writers: the copy goes on by itself and is equal, nothing is written twice', async () => {
    await using world = await MirrorWorld.open()
    const topics = ['gone', 'gone-old']
    await world.fill('gone', { partitions: 3, batches: 20, records: 20 })
    await world.fill('gone-old', { partitions: 2, batches: 20, records: 20, agedMs: HOURS_48 })
    const stop = new AbortController()
    const running = world.mirror('gone', topics, { signal: stop.signal, untilCaughtUp: false })
    await Promise.race([world.copied(topics, 1), running])
    let writing = true
    const write = async (partition: number) => {
      while (writing) {
        await world.more('gone', partition, { batches: 1, records: 5, size: 100 })
        await sleep(50)
      }
    }
    const writers = [0, 1, 2].map(write)
    await sleep(1_000)
    const broker = world.clusters.new.node(1)
    await broker.stop('kill')
    const since = performance.now()
    await sleep(75_000)
    expect(broker.pid).toBeUndefined()
    await broker.start()
    expect(performance.now() - since).toBeGreaterThan(75_000)
    await sleep(2_000)
    writing = false
    await Promise.all(writers)
    const all = await world.total(world.old, topics)
    const healed = performance.now()
    while ((await world.total(world.next, topics)) < all) {
      if (performance.now() - healed > 60_000) throw new Error('the copy does not go on after the outage')
      await sleep(100)
    }
    stop.abort()
    const report = await running
    expect(exitOf(report)).toBe(0)
    expect(report.partitions.reduce((sum, { doubts }) => sum + doubts, 0)).toBeGreaterThan(0)
    await world.expectEqual(topics)
  })

  test('links are cut and reset on both sides, again and again, inside frames: the copy is equal', async () => {
    const random = seeded()
    await using world = await filled({ new: { listeners: ['link'] } })
    const running = world.mirror('m', TOPICS)
    await world.copied(TOPICS, 0.02)
    let ended = false
    const end = () => (ended = true)
    running.then(end, end)
    let rounds = 0
    const links = { old: world.clusters.old.link(1), new: world.clusters.new.link(1) }
    await links.new.shape({ bytesPerSecond: 4 << 20 })
    for (; rounds < 12 && !ended; rounds++) {
      const link = random() < 0.5 ? links.old : links.new
      const before = (await link.counters()).connections.accepted
      const direction = random() < 0.5 ? ('up' as const) : ('down' as const)
      const kind = Math.floor(random() * 3)
      if (kind === 0) await link.reset({ direction, bytes: Math.floor(random() * 300_000) })
      else if (kind === 1) await link.reset()
      else {
        await link.cut(random() < 0.5 ? direction : undefined)
        await sleep(1_000 + random() * 1_500)
        await link.heal()
      }
      await sleep(300 + random() * 700)
      const again = AbortSignal.timeout(30_000)
      while (kind === 1 && !ended && (await link.counters()).connections.accepted <= before)
        await sleep(50, again)
    }
    expect(rounds, 'fault not injected').toBeGreaterThan(3)
    await faster(world)
    await links.new.shape({ bytesPerSecond: Number.POSITIVE_INFINITY })
    expect(exitOf(await running)).toBe(0)
    await world.expectEqual(TOPICS)
  })

  test('of three target brokers one is killed in mid-copy: its partitions go on with their new leaders, and the copy is equal', async () => {
    await using world = await filled({ new: { brokers: 3 } })
    await world.fill('wide', { partitions: 6, batches: 40, records: 60 })
    const topics = [...TOPICS, 'wide']
    const partitions = (name: string) => (name === 'wide' ? 6 : 3)
    await createTopics(
      world.next,
      topics.map(name => ({ name, partitions: partitions(name), replicationFactor: 3 })),
    )
    const running = world.mirror('m', topics)
    await world.copied(topics, 0.2)
    await world.next.metadata(topics)
    const victim = world.next.leaderOf('wide', 0)?.nodeId ?? 1
    const broker = world.clusters.new.node(victim)
    await broker.stop('kill')
    expect(await world.total(world.next, topics)).toBeLessThan(await world.total(world.old, topics))
    await faster(world)
    const report = await running
    expect(exitOf(report)).toBe(0)
    expect(world.next.leaderOf('wide', 0)?.nodeId).not.toBe(victim)
    await world.expectEqual(topics)
    await broker.start()
  })
})
