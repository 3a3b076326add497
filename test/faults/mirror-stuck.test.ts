import { expect, test } from 'vitest'
import { sleep } from '../../src/kit/index.ts'
import { MirrorWorld } from '../mirror-world.ts'
import { servers } from '../sandbox-helper.ts'

const MOST_MS = 10_000

servers('kmig mirror that is ended', () => {
  test('while the target does not answer: SIGTERM ends it within 10 s, a second SIGINT at once', async () => {
    await using world = await MirrorWorld.open({ old: { listeners: ['link'] }, new: { listeners: ['link'] } })
    await world.clusters.old.link(1).shape({ bytesPerSecond: 4 << 20 })
    await world.fill('stuck', { batches: 150, records: 60 })
    const link = world.clusters.new.link(1)
    for (const { second, code } of [
      { second: undefined, code: 143 },
      { second: 'SIGINT' as const, code: 130 },
    ]) {
      const mirror = world.command('stuck', ['stuck'])
      const before = await world.total(world.next, ['stuck']).catch(() => 0n)
      while ((await world.total(world.next, ['stuck'])) <= before) await sleep(20)
      await link.cut()
      try {
        while ((await link.counters()).up.held === 0) await sleep(50)
        const sent = performance.now()
        mirror.process.kill('SIGTERM')
        if (second) {
          await sleep(500)
          mirror.process.kill(second)
        }
        expect((await mirror.ended).code).toBe(code)
        expect(performance.now() - sent).toBeLessThan(second ? 2_000 : MOST_MS)
      } finally {
        await link.heal()
      }
    }
    const last = world.command('stuck', ['stuck'], '--until-caught-up')
    expect((await last.ended).code).toBe(0)
    await world.expectEqual(['stuck'])
  })
})
