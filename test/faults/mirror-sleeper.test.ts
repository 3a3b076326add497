import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { ATTRIBUTE, sequenceOf } from '../../src/kafka/index.ts'
import { sleep } from '../../src/kit/index.ts'
import { type Command, committedOf, HOURS_48, headersOf, MirrorWorld, transactions } from '../mirror-world.ts'
import { servers } from '../sandbox-helper.ts'

const WITHIN_MS = 150_000
const AUTO = ['plain', 'txn']
const TRANSLATED = ['moved-plain', 'moved-txn']
const TOPICS = [...AUTO, ...TRANSLATED]
/** A link that takes little of a sender before it is delivered: what is not sent yet stays with the sender. */
const THIN = { bytesPerSecond: 4_000_000, inFlightBytes: 64 << 10 }
const WIDE = { bytesPerSecond: Number.POSITIVE_INFINITY, inFlightBytes: 16 << 20, cut: false }
const PARTS = new Map([
  ['plain', 2],
  ['moved-plain', 2],
  ['txn', 2],
  ['moved-txn', 2],
])
const partsOf = (topic: string): number[] => [...Array(PARTS.get(topic)).keys()]
/** More than the buffers of a connection hold: part of such a batch is still with the process when it is stopped. */
const LARGE_BYTES = 6_000_000
/** What a member needs to join anew. */
const JOINS_BYTES = 100_000

const until = async (what: string, is: () => Promise<boolean> | boolean): Promise<void> => {
  const end = performance.now() + WITHIN_MS
  while (!(await is())) {
    if (performance.now() > end) throw new Error(`not within ${WITHIN_MS} ms: ${what}`)
    await sleep(50)
  }
}
const host = (): string => {
  const dir = mkdtempSync(join(tmpdir(), 'kmig-host-'))
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}

/** A mirror with each policy, by the link that may be thin or past it. */
const both = (world: MirrorWorld, listener: 'link' | 'plaintext'): Command[] =>
  [
    { name: 'auto', topics: AUTO },
    { name: 'translated', topics: TRANSLATED },
  ].map(({ name, topics }) =>
    world.run(
      ...['mirror', '--from', world.bootstrap('old'), '--to', world.clusters.new.bootstrap(listener)],
      ...topics.flatMap(topic => ['--topics', topic]),
      ...['--name', name, '--state-dir', host(), '--offsets', name],
    ),
  )

/** The target forgets the mirror's producer id at once: only leases and read-back are left as guards. */
const FORGETFUL = { 'producer.id.expiration.ms': '1000', 'producer.id.expiration.check.interval.ms': '500' }

servers('a process of a mirror that sleeps in mid-send', () => {
  for (const [age, config, wakes] of [
    [0, {}, 'after another has taken over'],
    [HOURS_48, FORGETFUL, 'after another has taken over'],
    [HOURS_48, FORGETFUL, 'while another waits to take over'],
  ] as const)
    test(`stopped behind a thin link for longer than its lease, it wakes ${wakes}: nothing of it comes late, all is equal (records ${age / 3_600_000} h old)`, async () => {
      await using world = await MirrorWorld.open({ new: { listeners: ['link'], config } })
      const link = world.clusters.new.link(1)
      for (const topic of ['plain', 'moved-plain']) {
        await world.make(topic, partsOf(topic).length, { 'max.message.bytes': `${2 * LARGE_BYTES}` })
        for (const partition of partsOf(topic))
          await world.more(topic, partition, { batches: 5, size: LARGE_BYTES, agedMs: age })
      }
      for (const topic of ['txn', 'moved-txn']) {
        await world.make(topic, 2)
        await transactions(world, topic, { partitions: 2, rounds: 10, size: 40_000, agedMs: age })
      }
      await link.shape(THIN, 'up')
      const sleepers = both(world, 'link')
      await until('both have begun to copy', async () => {
        const ends = await Promise.all([AUTO, TRANSLATED].map(topics => world.total(world.next, topics)))
        return ends.every(end => end > 0n)
      })
      await link.cut('up')
      await sleep(2_000) // they send until every buffer on the way is full
      for (const each of sleepers) each.process.kill('SIGSTOP')
      expect((await link.counters()).up.held, 'fault not injected: nothing is under way').toBeGreaterThan(0)
      await link.shape(WIDE, 'up')
      const takers = both(world, 'plaintext')
      await until('others have taken over', () => takers.every(({ stderr }) => /not given back/.test(stderr)))
      const late = wakes === 'after another has taken over'
      const total = await world.total(world.next, TOPICS)
      if (late) await until('they copy', async () => (await world.total(world.next, TOPICS)) > total + 50n)
      const before = (await link.counters()).up
      expect(before.held).toBe(0)
      for (const each of sleepers) each.process.kill('SIGCONT')
      await until('the sleepers know', () =>
        sleepers.every(({ stderr }) => /waits to be an owner again/.test(stderr)),
      )
      const sent = (await link.counters()).up.bytes - before.bytes
      if (late) expect(sent, 'it sent past its lease').toBeLessThan(JOINS_BYTES)
      for (const topic of ['plain', 'moved-plain'])
        await world.more(topic, 1, { batches: 5, size: 5_000, agedMs: age })
      for (const topic of ['txn', 'moved-txn'])
        await transactions(world, topic, { partitions: 2, rounds: 3, from: 1_000, agedMs: age })
      const theirs = new Map(
        await Promise.all(
          TOPICS.flatMap(topic =>
            partsOf(topic).map(async partition => {
              const records = await committedOf(world.old, topic, partition)
              return [`${topic}-${partition}`, { topic, partition, records }] as const
            }),
          ),
        ),
      )
      const ends = await world.ends(world.old, TOPICS)
      await until('all is copied', async () => {
        const ours = await world.ends(world.next, TOPICS)
        return [...theirs].every(([where, { topic, records }]) => {
          const goal = AUTO.includes(topic) ? ends.get(where) : BigInt(records.length)
          return (ours.get(where) ?? 0n) >= (goal ?? 0n)
        })
      })
      for (const each of [...sleepers, ...takers]) each.process.kill('SIGTERM')
      for (const each of [...sleepers, ...takers]) expect((await each.ended).code, each.stderr).toBe(143)
      for (const { topic, partition, records } of theirs.values()) {
        const ours = await committedOf(world.next, topic, partition)
        if (AUTO.includes(topic)) expect(ours).toEqual(records)
        else expect(ours.map(({ seen }) => seen)).toEqual(records.map(({ seen }) => seen))
        let ordinal = 0n
        for (const { attributes, baseSequence, count } of await headersOf(world.next, topic, partition)) {
          if (attributes & ATTRIBUTE.control) continue
          expect(baseSequence).toBe(sequenceOf(ordinal))
          ordinal += BigInt(count)
        }
      }
    })

  test('asleep while it fills holes, alone, it is an owner again and goes on (it stood still for ever, deaf to signals)', async () => {
    await using world = await MirrorWorld.open({ new: { listeners: ['link'] } })
    await world.make('txn', 2)
    await transactions(world, 'txn', { partitions: 2, rounds: 60 })
    await world.clusters.new.link(1).shape({ delayMs: 30 })
    const mirror = world.command('m', ['txn'])
    await until('it copies', async () => (await world.total(world.next, ['txn'])) > 40n)
    mirror.process.kill('SIGSTOP')
    const total = await world.total(world.next, ['txn'])
    await sleep(12_000)
    mirror.process.kill('SIGCONT')
    await until('it knows', () => /waits to be an owner again/.test(mirror.stderr))
    await until('it goes on', async () => (await world.total(world.next, ['txn'])) > total + 40n)
    mirror.process.kill('SIGTERM')
    expect((await mirror.ended).code).toBe(143)
  })
})
