import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { sleep } from '../../src/kit/index.ts'
import { MirrorWorld } from '../mirror-world.ts'
import { servers } from '../sandbox-helper.ts'

/** The most that a process has taken so far. */
const peakOf = (pid: number): number =>
  Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1] ?? 0) * 1024

servers('kmig mirror and memory', () => {
  test('a target that is far slower than the source: the process stays within 256 MB while it lags, and the copy is equal', async () => {
    await using world = await MirrorWorld.open({ new: { listeners: ['link'] } })
    await world.fill('behind', { partitions: 6, batches: 400, records: 100 })
    await world.fill('small', { partitions: 6, batches: 1_500, size: 300 })
    const topics = ['behind', 'small']
    const link = world.clusters.new.link(1)
    await link.shape({ bytesPerSecond: 4 << 20 })
    const mirror = world.command('memory', topics, '--json', '--until-caught-up')
    const pid = mirror.process.pid ?? 0
    await world.copied(topics, 0.02)
    await sleep(20_000)
    const [total, copied] = [await world.total(world.old, topics), await world.total(world.next, topics)]
    expect(copied, 'fault not injected: the target was fast').toBeLessThan((total * 9n) / 10n)
    const peak = peakOf(pid)
    await link.shape({ bytesPerSecond: Number.POSITIVE_INFINITY })
    expect((await mirror.ended).code).toBe(0)
    process.stderr.write(`peak RSS ${(peak / 1e6).toFixed(0)} MB at ${copied} of ${total} records\n`)
    expect(peak).toBeLessThan(256_000_000)
    await world.expectEqual(topics)
  })
})
