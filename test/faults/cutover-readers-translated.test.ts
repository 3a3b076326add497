import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { kafkaJs } from '../../src/kafka/index.ts'
import { spawned } from '../cli/spawned.ts'
import { discoveryText } from '../discovery/cases.ts'
import { committedOf, MirrorWorld, transactions } from '../mirror-world.ts'
import { commit, committed } from '../reverse-world.ts'
import { servers } from '../sandbox-helper.ts'

const [TOPIC, WHERE, GROUPS] = ['orders', 'orders-0', ['read-at-record', 'read-in-hole']] as const
const READ = 9

servers('readers first, on a translated partition', () => {
  let world: MirrorWorld
  let own: string[]
  beforeAll(async () => {
    world = await MirrorWorld.open()
    const [discovery, config] = [join(world.stateDir, 'srv-configs'), join(world.stateDir, 'kmig.yaml')]
    mkdirSync(discovery)
    writeFileSync(join(discovery, 'standard.yaml'), discoveryText({ devc: [world.bootstrap('old')] }))
    const sides = (['old', 'new'] as const).map(
      side => `  ${side}: { bootstrap: ["${world.bootstrap(side)}"] }`,
    )
    writeFileSync(config, `clusters:\n${sides.join('\n')}\n`)
    own = ['--config', config, '--state-dir', world.stateDir, '--progress', 'plain']
    await world.make(TOPIC)
    await transactions(world, TOPIC, { rounds: 20 })
  }, 120_000)
  afterAll(async () => {
    await world?.[Symbol.asyncDispose]()
  })

  const log = () => committedOf(world.old, TOPIC, 0)
  /** What somebody who starts here reads. */
  const from = (records: Awaited<ReturnType<typeof log>>, offset: bigint | undefined) =>
    records.filter(each => offset !== undefined && each.offset >= offset).map(({ seen }) => seen)

  /** A member of the group on the new cluster, until it has read and committed so many records. */
  const readSome = async (groupId: string, count: number) => {
    const consumer = kafkaJs({ brokers: world.next.bootstrap }).consumer({ groupId, maxWaitTimeInMs: 100 })
    const read: string[] = []
    const ended = Promise.withResolvers<void>()
    await consumer.connect()
    try {
      await consumer.subscribe({ topics: [TOPIC], fromBeginning: true })
      await consumer.run({
        autoCommit: false,
        eachMessage: async ({ partition, message: { offset, key, value, timestamp } }) => {
          if (read.length === count) return
          read.push(`${timestamp} ${key} ${value}`)
          if (read.length < count) return
          const next = `${BigInt(offset) + 1n}`
          await consumer
            .commitOffsets([{ topic: TOPIC, partition, offset: next }])
            .then(ended.resolve, ended.reject)
        },
      })
      const late = new Error(`${groupId} has read ${read.length} of ${count}`)
      const timer = setTimeout(() => ended.reject(late), 60_000)
      await ended.promise.finally(() => clearTimeout(timer))
    } finally {
      await consumer.disconnect()
    }
    return read
  }

  test('groups at a record and in a hole go on at exactly the next record there, and abort --readers-back sets them where exactly the rest is left', async () => {
    const records = await log()
    const middle = Math.floor(records.length / 3)
    const isHole = (i: number) => (records[i + 1]?.offset ?? 0n) > (records[i]?.offset ?? 0n) + 1n
    const hole = records.findIndex((_, i) => i > middle && isHole(i))
    const starts = [records[middle]?.offset ?? -1n, (records[hole]?.offset ?? -2n) + 1n]
    expect(hole).toBeGreaterThan(middle)
    expect(records.map(({ offset }) => offset)).not.toContain(starts[1])
    for (const [i, group] of GROUPS.entries()) await commit(world.old, group, { [WHERE]: starts[i] ?? -1n })

    await world.mirror('translated', [TOPIC], { offsets: 'translated' })
    const copy = await committedOf(world.next, TOPIC, 0)
    expect(copy.map(({ seen }) => seen)).toEqual(records.map(({ seen }) => seen))
    expect(copy.map(({ offset }) => offset)).not.toEqual(records.map(({ offset }) => offset))

    const run = world.run(
      ...['cutover', '--from', 'old', '--to', 'new', '--name', 'translated', '--topics', TOPIC],
      ...[
        '--groups',
        'read-*',
        '--readers-first',
        'read-*',
        '--discovery',
        join(world.stateDir, 'srv-configs'),
      ],
      ...['--execute', '--yes', '--postpone', ...own],
    )
    const ended = run.ended.then(() => 'ended')
    while (!run.stderr.includes('waits before the fence'))
      expect(await Promise.race([ended, wait(50)])).toBeUndefined()

    await transactions(world, TOPIC, { rounds: 5, from: 100 })
    const wanted = await log()
    expect(wanted.length).toBeGreaterThan(records.length + 3)
    const rests = starts.map(start => from(wanted, start))
    // one of them reads into what was written after it had moved
    const counts = [READ, (rests[1]?.length ?? 0) - 3]
    for (const [i, group] of GROUPS.entries())
      expect(await readSome(group, counts[i] ?? 0)).toEqual(rests[i]?.slice(0, counts[i]))

    const back = await spawned('bin/kmig.js', ['cutover', 'abort', '--readers-back', ...own])
    expect(back).toMatchObject({ code: 9 })
    expect((await run.ended).code).toBe(9)
    for (const [i, group] of GROUPS.entries()) {
      const at = (await committed(world.old, group))[WHERE]
      expect(from(wanted, at)).toEqual(rests[i]?.slice(counts[i]))
    }
  }, 300_000)
})
