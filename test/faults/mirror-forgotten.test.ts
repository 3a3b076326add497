import { expect, test } from 'vitest'
import { Fetch, headers, Produce } from '../../src/kafka/index.ts'
import { sleep } from '../../src/kit/index.ts'
import { exitOf } from '../../src/mirror/index.ts'
import { HOURS_48, MirrorWorld, seeded } from '../mirror-world.ts'
import { servers } from '../sandbox-helper.ts'
import { logOf } from '../wire-log.ts'

const TOPICS = ['aged', 'aged-small', 'aged-late']
const KILLS = 6

/** A target that forgets producers as fast as it can: every sweep drops one whose last record is old. */
const FORGETFUL = {
  'producer.id.expiration.ms': '1000',
  'producer.id.expiration.check.interval.ms': '200',
}

/** The last batch of a target partition as the broker holds it, with its offset taken out. */
const lastBatch = async (world: MirrorWorld, topic: string): Promise<Buffer> => {
  await world.next.metadata([topic])
  const connection = await world.next.connection(world.next.leaderOf(topic, 0)?.nodeId ?? 0, 'test')
  const topics = [{ topic, partitions: [{ partition: 0, fetchOffset: 0n, partitionMaxBytes: 8 << 20 }] }]
  const answer = await connection.send(
    Fetch,
    { maxWaitMs: 100, minBytes: 1, maxBytes: 8 << 20, isolationLevel: 0, topics },
    { timeoutMs: 10_000 },
  )
  const records = answer.topics[0]?.partitions[0]?.records ?? Buffer.alloc(0)
  const { at, header } = [...headers(records)].at(-1) ?? { at: 0, header: { size: 0 } }
  const batch = Buffer.from(records.subarray(at, at + header.size))
  batch.writeBigInt64BE(0n, 0)
  return batch
}

const repeat = async (world: MirrorWorld, topic: string, batch: Buffer): Promise<bigint | undefined> => {
  await world.next.metadata([topic])
  const connection = await world.next.connection(world.next.leaderOf(topic, 0)?.nodeId ?? 0, 'test')
  const topics = [{ topic, partitions: [{ partition: 0, records: batch }] }]
  const answer = await connection.send(
    Produce,
    { acks: -1, timeoutMs: 10_000, topics },
    { timeoutMs: 20_000 },
  )
  expect(answer.topics[0]?.partitions[0]?.errorCode).toBe(0)
  return answer.topics[0]?.partitions[0]?.baseOffset
}

servers('kmig mirror to brokers that have forgotten its producer', () => {
  test('killed again and again while copying records of two days ago, the copy stays exact', async () => {
    const random = seeded()
    await using world = await MirrorWorld.open({ old: { listeners: ['link'] }, new: { config: FORGETFUL } })
    await world.fill('aged', { partitions: 3, batches: 120, records: 60, agedMs: HOURS_48 })
    await world.fill('aged-small', { partitions: 3, batches: 1_000, size: 700, agedMs: HOURS_48 })
    await world.fill('aged-late', { partitions: 2, batches: 100, records: 1_000, size: 5, agedMs: HOURS_48 })
    for (const partition of [0, 1])
      await world.old.deleteRecords([{ topic: 'aged-late', partition, offset: 80_017n }])
    const link = world.clusters.old.link(1)
    await link.shape({ bytesPerSecond: 2 << 20 })
    const total = await world.total(world.old, TOPICS)
    for (let kill = 0; kill < KILLS; kill++) {
      const before = await world.total(world.next, TOPICS)
      const { process: child, ended } = world.command('aged', TOPICS, '--until-caught-up')
      while ((await world.total(world.next, TOPICS)) === before) {
        expect(child.exitCode, 'the copy ended before its kill').toBeNull()
        await sleep(20)
      }
      await sleep(random() * 600)
      child.kill('SIGKILL')
      expect((await ended).signal).toBe('SIGKILL')
      expect(await world.total(world.next, TOPICS)).toBeLessThan(total)
      await sleep(random() * 800)
    }
    await link.shape({ bytesPerSecond: Number.POSITIVE_INFINITY })
    const last = world.command('aged', TOPICS, '--until-caught-up', '--json')
    expect((await last.ended).code).toBe(0)
    await world.expectEqual(TOPICS)
  })

  test('a stray repeat of an old batch is taken by the broker and found: FOREIGN_WRITE, exit 7, nothing follows it', async () => {
    await using world = await MirrorWorld.open({ new: { config: FORGETFUL } })
    for (const topic of ['stray', 'stray-live'])
      await world.fill(topic, { batches: 10, records: 5, size: 20_000, agedMs: HOURS_48 })
    expect(exitOf(await world.mirror('stray', ['stray']))).toBe(0)
    await sleep(2_000)
    expect(await repeat(world, 'stray', await lastBatch(world, 'stray')), 'fault not injected').toBe(50n)
    await world.more('stray', 0, { batches: 2, agedMs: HOURS_48 })
    const report = await world.mirror('stray', ['stray'])
    expect(report.partitions[0]?.stopped?.code).toBe('FOREIGN_WRITE')
    expect(exitOf(report)).toBe(7)
    expect((await logOf(world.next, 'stray', 0)).length).toBe(55)

    const live = world.command('live', ['stray-live'], '--json')
    await world.copied(['stray-live'], 1)
    await sleep(2_000)
    expect(
      await repeat(world, 'stray-live', await lastBatch(world, 'stray-live')),
      'fault not injected',
    ).toBe(50n)
    await world.more('stray-live', 0, { batches: 2, agedMs: HOURS_48 })
    const { code } = await live.ended
    expect(code).toBe(7)
    expect(live.stdout).toContain('FOREIGN_WRITE')
    expect(await world.total(world.next, ['stray-live'])).toBeLessThanOrEqual(57n)
  })
})
