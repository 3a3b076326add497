import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { ATTRIBUTE, sequenceOf } from '../../src/kafka/index.ts'
import { sleep } from '../../src/kit/index.ts'
import {
  type Command,
  committedOf,
  compacted,
  headersOf,
  MirrorWorld,
  transactions,
} from '../mirror-world.ts'
import { servers } from '../sandbox-helper.ts'

const TOPICS = ['txn', 'compacted', 'plain']
const WITHIN_MS = 180_000

const until = async (what: string, is: () => Promise<boolean> | boolean): Promise<void> => {
  const end = performance.now() + WITHIN_MS
  while (!(await is())) {
    if (performance.now() > end) throw new Error(`not within ${WITHIN_MS} ms: ${what}`)
    await sleep(100)
  }
}
const host = (): string => {
  const dir = mkdtempSync(join(tmpdir(), 'kmig-host-'))
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}
const startIn = (world: MirrorWorld, name: string, topics: readonly string[], stateDir: string): Command =>
  world.command(name, topics, '--state-dir', stateDir)
const parts = async (world: MirrorWorld, topics: readonly string[]) =>
  (await world.old.metadata(topics)).flatMap(({ name, partitions }) =>
    partitions.map(({ partition }) => ({ topic: name, partition })),
  )
const copied = (world: MirrorWorld, topics: readonly string[]) =>
  until('all is copied', async () => {
    const [theirs, ours] = [await world.ends(world.old, topics), await world.ends(world.next, topics)]
    return theirs.size > 0 && [...theirs].every(([where, end]) => ours.get(where) === end)
  })
/** Every record once, at its own offset, in one chain of sequences. The cleaner of the source goes on meanwhile. */
const expectExact = async (world: MirrorWorld, topics: readonly string[]) => {
  for (const { topic, partition } of await parts(world, topics)) {
    const theirs = await committedOf(world.old, topic, partition)
    const ours = await committedOf(world.next, topic, partition)
    const kept = new Set(theirs.map(({ offset }) => offset))
    expect(ours.filter(({ offset }) => topic !== 'compacted' || kept.has(offset))).toEqual(theirs)
    let ordinal = 0n
    for (const { attributes, baseSequence, count } of await headersOf(world.next, topic, partition)) {
      if (attributes & ATTRIBUTE.control) continue
      expect(baseSequence).toBe(sequenceOf(ordinal))
      ordinal += BigInt(count)
    }
  }
}

servers('kmig mirror and its group', () => {
  for (const how of ['killed', 'standing still for 20 s'] as const)
    test(`the coordinator of the group, one of three brokers, is ${how} while three processes copy transactions, a compacted topic and plain records: all goes on and is exact`, async () => {
      await using world = await MirrorWorld.open({ new: { brokers: 3 } })
      await world.make('txn', 6)
      await world.make('plain', 3)
      await compacted(world, 'compacted')
      await transactions(world, 'txn', { partitions: 6, rounds: 30 })
      const all = ['one', 'two', 'three'].map(() => startIn(world, 'm', TOPICS, host()))
      await until('all three copy', () => all.every(({ stderr }) => /copies \d+ partitions? of/.test(stderr)))
      let writing = true
      const writer = (async () => {
        for (let round = 1; writing; round++) {
          await transactions(world, 'txn', { partitions: 6, rounds: 3, from: round * 1_000 })
          await world.more('plain', round % 3, { batches: 3 })
          await world.write(world.old, 'compacted', [
            { key: Buffer.from(`${round % 5}`), value: Buffer.from(`${round}`) },
          ])
        }
      })()
      const before = await world.total(world.next, TOPICS)
      await until('they copy', async () => (await world.total(world.next, TOPICS)) > before + 20n)
      const coordinator = await world.next.coordinatorOf('__kmig.m', {})
      const broker = world.clusters.new.node(coordinator)
      if (how === 'killed') await broker.stop('kill')
      else broker.pause()
      await sleep(20_000)
      if (how === 'killed') await broker.start()
      else broker.resume()
      await sleep(5_000)
      writing = false
      await writer
      await copied(world, TOPICS)
      for (const each of all) each.process.kill('SIGTERM')
      for (const each of all) expect((await each.ended).code, each.stderr).toBe(143)
      await expectExact(world, TOPICS)
    })

  test('who leads is killed between making topics and sharing them out: it started anew at once, or another, makes what is missing, and all is copied and exact', async () => {
    await using world = await MirrorWorld.open()
    await world.fill('t-base', { partitions: 4, batches: 4 })
    const topics = ['t-base']
    const dirs = [host(), host()]
    const running = dirs.map(dir => startIn(world, 'm', ['t-*'], dir))
    const leads = (each: Command) => /leads it/.test(each.stderr.split('copies ').at(-1) ?? '')
    await until('both copy', () => running.every(({ stderr }) => /copies \d+ partitions? of/.test(stderr)))
    for (const [round, delay] of [0, 40, 0].entries()) {
      await until('one leads', () => running.some(leads))
      const index = running.findIndex(leads)
      const [leader, dir] = [running[index], dirs[index]]
      if (!leader || !dir) throw new Error('nobody leads')
      const before = leader.stderr.length
      for (let i = 0; i < 5; i++) {
        topics.push(`t-${round}-${i}`)
        await world.fill(`t-${round}-${i}`, { partitions: 2, batches: 3 })
      }
      await until('it makes them', () => leader.stderr.slice(before).includes('made topic'))
      await sleep(delay)
      leader.process.kill('SIGKILL')
      await leader.ended
      running[index] = startIn(world, 'm', ['t-*'], round === 2 ? host() : dir)
      await copied(world, topics)
    }
    for (const each of running) each.process.kill('SIGTERM')
    for (const each of running) expect((await each.ended).code, each.stderr).toBe(143)
    await world.expectEqual(topics)
    await expectExact(world, topics)
  })
})
