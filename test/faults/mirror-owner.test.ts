import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { createTopics } from '../../src/kafka/index.ts'
import { sleep } from '../../src/kit/index.ts'
import { type Command, MirrorWorld } from '../mirror-world.ts'
import { servers } from '../sandbox-helper.ts'

const LAPSED = /waits to be an owner again/g
const WITHIN_MS = 150_000

const until = async (what: string, is: () => Promise<boolean> | boolean) => {
  const end = performance.now() + WITHIN_MS
  while (!(await is())) {
    if (performance.now() > end) throw new Error(`not within ${WITHIN_MS} ms: ${what}`)
    await sleep(100)
  }
}
const lapses = (command: Command) => command.stderr.match(LAPSED)?.length ?? 0
const copiedAll = async (world: MirrorWorld, topics: readonly string[]) => {
  await until(`${topics} are copied`, async () => {
    const [theirs, ours] = [await world.ends(world.old, topics), await world.ends(world.next, topics)]
    return theirs.size > 0 && [...theirs].every(([where, end]) => ours.get(where) === end)
  })
}
const stop = async (command: Command): Promise<void> => {
  const sent = performance.now()
  command.process.kill('SIGTERM')
  expect((await command.ended).code).toBe(143)
  expect(performance.now() - sent).toBeLessThan(10_000)
}
const host = (): string => {
  const dir = mkdtempSync(join(tmpdir(), 'kmig-host-'))
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}

servers('kmig mirror that loses what makes it an owner', () => {
  test('the only broker of the target is killed for 20 s and stands still for 30 s: each time the mirror is an owner again, follows a topic that appeared meanwhile, and the copy is equal; SIGTERM while it waits ends it within 10 s', async () => {
    await using world = await MirrorWorld.open()
    await world.fill('first', { partitions: 3, batches: 20 })
    const mirror = world.command('o', ['first', 'during-*', 'after'])
    await copiedAll(world, ['first'])
    const broker = world.clusters.new.node(1)

    await broker.stop('kill')
    await world.more('first', 0, { batches: 5 })
    await world.fill('during-kill', { batches: 3 })
    await sleep(20_000)
    expect(lapses(mirror), 'fault not injected').toBe(1)
    await broker.start()
    await copiedAll(world, ['first', 'during-kill'])

    broker.pause()
    await world.more('first', 1, { batches: 5 })
    await world.fill('during-pause', { batches: 3 })
    await sleep(30_000)
    broker.resume()
    await copiedAll(world, ['first', 'during-kill', 'during-pause'])
    expect(lapses(mirror), 'fault not injected').toBeGreaterThan(1)

    const before = lapses(mirror)
    await broker.stop('kill')
    await until('it is no owner', () => lapses(mirror) > before)
    await stop(mirror)

    const down = world.command('o', ['first'])
    const { code, ms } = await down.ended
    expect(code).toBe(10)
    expect(ms).toBeGreaterThan(60_000)
    expect(ms).toBeLessThan(120_000)
    expect(down.stderr).toContain('it is tried again for up to 60 s')
    await broker.start()
    await world.expectEqual(['first', 'during-kill', 'during-pause'])
  })

  test('killed and started again at once, it copies a topic that appeared in between', async () => {
    await using world = await MirrorWorld.open()
    await world.fill('kept', { batches: 5 })
    const first = world.command('again', ['kept', 'new'])
    await copiedAll(world, ['kept'])
    first.process.kill('SIGKILL')
    await first.ended
    await world.fill('new', { partitions: 2, batches: 5 })
    const second = world.command('again', ['kept', 'new'])
    await copiedAll(world, ['kept', 'new'])
    await stop(second)
    await world.expectEqual(['kept', 'new'])
  })

  test('a topic that one process followed is copied by the other once the first is killed', async () => {
    await using world = await MirrorWorld.open()
    await world.fill('kept', { partitions: 4, batches: 5 })
    const leads = world.command('both', ['kept', 'followed'], '--state-dir', host())
    await copiedAll(world, ['kept'])
    const other = world.command('both', ['kept', 'followed'], '--state-dir', host())
    await until('both copy', () => /copies \d+ partitions? of/.test(other.stderr))
    await world.fill('followed', { partitions: 2, batches: 5 })
    await copiedAll(world, ['kept', 'followed'])
    leads.process.kill('SIGKILL')
    await leads.ended
    for (const partition of [0, 1]) await world.more('followed', partition, { batches: 5 })
    for (const partition of [0, 1, 2, 3]) await world.more('kept', partition, { batches: 5 })
    await copiedAll(world, ['kept', 'followed'])
    await stop(other)
    await world.expectEqual(['kept', 'followed'])
  })

  test('three brokers of the target are restarted one by one, then all are killed: the lag goes, nothing is lost, and it joins anew at most a few times', async () => {
    await using world = await MirrorWorld.open({ old: {}, new: { brokers: 3 } })
    await createTopics(world.next, [{ name: 'rolled', partitions: 6, replicationFactor: 3 }])
    await world.fill('rolled', { partitions: 6, batches: 10 })
    const mirror = world.command('r', ['rolled'], '--json-stream')
    await copiedAll(world, ['rolled'])
    for (const id of [1, 2, 3]) {
      await world.clusters.new.node(id).stop('clean')
      await world.more('rolled', id, { batches: 5 })
      await world.clusters.new.node(id).start()
      await until(`broker ${id} is in sync`, async () =>
        ((await world.next.metadata(['rolled']))[0]?.partitions ?? []).every(({ isr }) => isr.length === 3),
      )
    }
    await copiedAll(world, ['rolled'])
    const rejoined = () => mirror.stdout.match(/"kind":"lapsed"/g)?.length ?? 0
    expect(rejoined()).toBeLessThan(8)

    for (const id of [1, 2, 3]) await world.clusters.new.node(id).stop('kill')
    await world.more('rolled', 5, { batches: 5 })
    await sleep(12_000)
    await Promise.all([1, 2, 3].map(id => world.clusters.new.node(id).start()))
    await copiedAll(world, ['rolled'])
    expect(rejoined(), 'fault not injected').toBeGreaterThan(0)
    await stop(mirror)
    await world.expectEqual(['rolled'])
  })
})
