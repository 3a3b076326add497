import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createTopics, deleteTopics } from '../../src/kafka/index.ts'
import { sleep } from '../../src/kit/index.ts'
import { exitOf } from '../../src/mirror/index.ts'
import { HOURS_48, MirrorWorld } from '../mirror-world.ts'
import { servers } from '../sandbox-helper.ts'
import { logOf } from '../wire-log.ts'

const MOST_MS = 10_000

servers('kmig mirror that is ended', () => {
  let world: MirrorWorld
  beforeAll(async () => {
    world = await MirrorWorld.open({ old: { listeners: ['link'] } })
    await world.clusters.old.link(1).shape({ bytesPerSecond: 4 << 20 })
  })
  afterAll(async () => {
    await world?.[Symbol.asyncDispose]()
  })

  test('a record from the day after tomorrow is taken by a target that had no topic at all', async () => {
    await world.make('ahead')
    await world.write(world.old, 'ahead', [{ timestamp: BigInt(Date.now() + HOURS_48) }])
    expect(exitOf(await world.mirror('ahead', ['ahead']))).toBe(0)
    await world.expectEqual(['ahead'])
  })

  test('a name that no topic can have is refused before anything is asked', async () => {
    await expect(world.mirror('../up', ['ahead'])).rejects.toMatchObject({ code: 'USAGE', exit: 2 })
  })

  test('connections that are reset at any point of the start, and a broker that is away for it, end nothing', async () => {
    await world.fill('started', { partitions: 2, batches: 3 })
    const link = world.clusters.old.link(1)
    for (const bytes of [1, 60, 300, 700, 1_500, 3_000, 6_000]) {
      for (const direction of ['up', 'down'] as const) {
        await link.reset({ direction, bytes })
        expect(exitOf(await world.mirror('started', ['started']))).toBe(0)
      }
    }
    await link.refuse(true)
    await link.reset()
    const running = world.mirror('started', ['started'])
    const text = () => world.warnings.find(each => each.startsWith('old: no Kafka broker answers'))
    while (text() === undefined) await sleep(50)
    await link.refuse(false)
    expect(exitOf(await running)).toBe(0)
    expect(text()).toMatch(/127\.\S+:\d+.*; it is tried again for up to 60 s/)
    await world.expectEqual(['started'])
  })

  const ends = [
    ['SIGTERM', 143],
    ['SIGINT', 130],
  ] as const
  for (const [signal, code] of ends) {
    test(`${signal} in mid-copy: it ends within 10 s with exit ${code} and its report, and the next start goes on`, async () => {
      const topic = signal.toLowerCase()
      await world.fill(topic, { partitions: 2, batches: 150, records: 60 })
      const first = world.command(topic, [topic], '--json')
      await world.copied([topic], 0.1)
      const sent = performance.now()
      first.process.kill(signal)
      expect((await first.ended).code).toBe(code)
      expect(performance.now() - sent).toBeLessThan(MOST_MS)
      const report = JSON.parse(first.stdout)
      expect(report).toMatchObject({ ok: false, stoppedBy: signal, name: topic })
      const before = await world.total(world.next, [topic])
      expect(BigInt(report.records)).toBe(before)
      expect(before).toBeLessThan(await world.total(world.old, [topic]))
      expect(readdirSync(join(world.stateDir, 'locks'))).toEqual([])
      const second = world.command(topic, [topic], '--json', '--until-caught-up')
      expect((await second.ended).code).toBe(0)
      expect(BigInt(JSON.parse(second.stdout).records)).toBe(18_000n - before)
      await world.expectEqual([topic])
    })
  }

  test('a second mirror of the same name exits 8, and one whose owner was killed starts at once', async () => {
    await world.fill('owned', { batches: 100, records: 60 })
    const owner = world.command('owned', ['owned'])
    await world.copied(['owned'], 0.05)
    const other = world.command('owned', ['owned'], '--json')
    expect((await other.ended).code).toBe(8)
    expect(JSON.parse(other.stdout)).toMatchObject({ ok: false, error: { code: 'LOCKED' } })
    expect(other.stdout).toContain(`${owner.process.pid}`)
    owner.process.kill('SIGKILL')
    await owner.ended
    const [lock] = readdirSync(join(world.stateDir, 'locks'))
    expect(existsSync(join(world.stateDir, 'locks', lock ?? ''))).toBe(true)
    const heir = world.command('owned', ['owned'], '--until-caught-up')
    expect((await heir.ended).code).toBe(0)
    await world.expectEqual(['owned'])
  })

  test('a topic that is deleted and made again on the target while it is followed stops by name, and nothing is written to it', async () => {
    await world.fill('again', { batches: 20, records: 5 })
    const running = world.mirror('again', ['again'], { untilCaughtUp: false })
    await world.copied(['again'], 1)
    await deleteTopics(world.next, ['again'])
    await createTopics(world.next, [{ name: 'again', partitions: 1, replicationFactor: 1 }])
    await world.more('again', 0, { batches: 5 })
    const report = await running
    expect(report.partitions[0]?.stopped?.code).toBe('TOPIC_RECREATED')
    expect(exitOf(report)).toBe(7)
    expect(await logOf(world.next, 'again', 0)).toEqual([])
  })
})
