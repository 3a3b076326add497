import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  ATTRIBUTE,
  type Cluster,
  commitOffsets,
  groupOffsets,
  InitProducerId,
  sequenceOf,
  WriteTxnMarkers,
} from '../../src/kafka/index.ts'
import { Offset, sleep } from '../../src/kit/index.ts'
import { exitOf, MirrorState } from '../../src/mirror/index.ts'
import { StateTopic } from '../../src/offsets/index.ts'
import {
  Command,
  committedOf,
  compacted,
  headersOf,
  MirrorWorld,
  recordsOf,
  transactions,
} from '../mirror-world.ts'
import { servers } from '../sandbox-helper.ts'

const KILLS = 5

servers('kmig mirror over holes', () => {
  let world: MirrorWorld
  const signal = new AbortController().signal
  beforeAll(async () => {
    world = await MirrorWorld.open()
    await world.make('txn', 2)
    await world.make('killed', 2)
    await world.make('killed-translated', 2)
    await Promise.all([
      transactions(world, 'txn', { partitions: 2, rounds: 30 }),
      transactions(world, 'killed', { partitions: 2, rounds: 60 }),
      transactions(world, 'killed-translated', { partitions: 2, rounds: 60 }),
      compacted(world, 'compacted'),
    ])
  })
  afterAll(async () => world?.[Symbol.asyncDispose]())

  /** Every record of a read_committed reader, at its own offset on both sides. */
  const expectIdentical = async (topic: string, partitions: number) => {
    for (let partition = 0; partition < partitions; partition++) {
      const theirs = await committedOf(world.old, topic, partition)
      expect(theirs.length).toBeGreaterThan(10)
      expect(await recordsOf(world.next, topic, partition)).toEqual(theirs)
    }
    expect(await world.ends(world.next, [topic])).toEqual(await world.ends(world.old, [topic]))
  }
  /** Data of one producer in an unbroken chain, control records of another. */
  const expectChain = async (topic: string, partition: number) => {
    const all = await headersOf(world.next, topic, partition)
    const data = all.filter(({ attributes }) => !(attributes & ATTRIBUTE.control))
    let ordinal = 0n
    for (const { baseSequence, count, lastOffsetDelta } of data) {
      expect(baseSequence).toBe(sequenceOf(ordinal))
      expect(lastOffsetDelta).toBe(count - 1)
      ordinal += BigInt(count)
    }
    const ids = (control: boolean) =>
      new Set(
        all.filter(each => ((each.attributes & ATTRIBUTE.control) !== 0) === control).map(h => h.producerId),
      )
    expect(ids(false).size).toBe(1)
    expect([...ids(false)].filter(id => ids(true).has(id))).toEqual([])
    return all
  }
  /** Reads the map that the mirror left, and holds it against what ordinary readers see of both sides. */
  const expectExactMap = async (mirror: string, topic: string, partition: number) => {
    const [theirs, ours] = [
      await committedOf(world.old, topic, partition),
      await recordsOf(world.next, topic, partition),
    ]
    expect(ours.map(({ seen }) => seen)).toEqual(theirs.map(({ seen }) => seen))
    const kept = await StateTopic.read(world.next, mirror, { signal })
    const state = kept && new MirrorState(kept)
    const now = state?.topic(topic)
    const start = now?.starts[partition] ?? Offset(0n)
    const map = state?.map(topic, partition).map
    const end = Offset((await world.ends(world.old, [topic])).get(`${topic}-${partition}`) ?? 0n)
    const targetEnd = (await world.ends(world.next, [topic])).get(`${topic}-${partition}`) ?? 0n
    for (let o: bigint = start, next = 0; o <= end; o++) {
      while ((theirs[next]?.offset ?? o) < o) next++
      const found = map?.toTarget(Offset(o), end)
      if (found?.kind !== 'exact') throw new Error(`source offset ${o}: ${found?.kind}`)
      // a reader that begins there sees exactly the next record: nothing but fillers lie before it
      expect(found.at, `source offset ${o}`).toBeLessThanOrEqual(ours[next]?.offset ?? targetEnd)
      expect(found.at, `source offset ${o}`).toBeGreaterThan(ours[next - 1]?.offset ?? -1n)
      if (theirs[next]?.offset === o) expect(found.at).toBe(ours[next]?.offset)
    }
    return { theirs, ours }
  }

  test('a transactional topic ends with every record at its own offset, aborts and an open transaction included', async () => {
    const report = await world.mirror('txn', ['txn'])
    expect(exitOf(report)).toBe(0)
    await expectIdentical('txn', 2)
    expect(report.partitions.map(({ mode, stopped }) => ({ mode, stopped }))).toEqual(
      [0, 1].map(() => ({ mode: 'identical', stopped: undefined })),
    )
    expect(report.partitions[0]?.filled).toBe(report.partitions[0]?.holes)
    expect(report.partitions[0]?.filled).toBeGreaterThan(20n)
    for (const partition of [0, 1]) await expectChain('txn', partition)
  })

  test('a compacted topic ends with every record at its own offset', async () => {
    const report = await world.mirror('compacted', ['compacted'])
    expect(report.partitions[0]).toMatchObject({ mode: 'identical', stopped: undefined })
    expect(report.partitions[0]?.filled, 'fault not injected').toBeGreaterThan(0n)
    await expectIdentical('compacted', 1)
  })

  test('an overshoot translates the partition from there on, and nothing is lost', async () => {
    const following = new AbortController()
    const running = world.mirror('txn', ['txn'], { signal: following.signal, untilCaughtUp: false })
    await marker(world.next, 'txn', 0, await controlOf(world, 'txn'))
    await transactions(world, 'txn', { partitions: 2, rounds: 6, from: 100 })
    while (!world.events.some(event => event.kind === 'translated' && event.where === 'txn-0'))
      await sleep(50)
    following.abort()
    await running
    const report = await world.mirror('txn', ['txn'])
    expect(report.partitions.map(({ mode, stopped }) => ({ mode, stopped }))).toEqual([
      { mode: 'translated', stopped: undefined },
      { mode: 'identical', stopped: undefined },
    ])
    await expectExactMap('txn', 'txn', 0)
    await expectExactMap('txn', 'txn', 1)
    await expectChain('txn', 0)
    const strict = await world.mirror('txn', ['txn'], { offsets: 'identical' })
    expect(strict.partitions.map(({ stopped }) => stopped?.code)).toEqual(['NOT_IDENTICAL', undefined])
  })

  test('a control record of somebody else is caught before anything follows it', async () => {
    const [{ producerId }] = [
      await world.next.any(InitProducerId, { transactionalId: null, transactionTimeoutMs: 0 }, {}),
    ]
    const before = await world.ends(world.next, ['compacted'])
    await marker(world.next, 'compacted', 0, { id: producerId, epoch: 0 })
    await world.write(world.old, 'compacted', [{ key: Buffer.from('k'), value: Buffer.from('later') }])
    const report = await world.mirror('compacted', ['compacted'])
    expect(report.partitions[0]?.stopped?.code).toBe('FOREIGN_WRITE')
    expect((await world.ends(world.next, ['compacted'])).get('compacted-0')).toBe(
      (before.get('compacted-0') ?? 0n) + 1n,
    )
  })

  describe('--offsets translated', () => {
    test('every offset of the map is exact, and groups resume at exactly their next record', async () => {
      const topic = 'killed-translated'
      const end = (await world.ends(world.old, [topic])).get(`${topic}-0`) ?? 0n
      for (let n = 0n; n <= end; n += 3n)
        await commitOffsets(world.old, `map-${n}`, [{ topic, partition: 0, offset: n, metadata: null }])
      const report = await world.mirror('map', [topic], { offsets: 'translated' })
      expect(report.partitions[0]).toMatchObject({ mode: 'translated', filled: 0n, padded: 0n })
      const { theirs, ours } = await expectExactMap('map', topic, 0)
      expect(ours.map(({ offset }) => offset)).toEqual(ours.map((_, i) => BigInt(i)))
      for (let n = 0n; n <= end; n += 3n) {
        const [row] = (await groupOffsets(world.next, [`map-${n}`])).get(`map-${n}`) ?? []
        const left = (from: bigint, all: typeof theirs) => all.filter(({ offset }) => offset >= from)
        expect(left(row?.offset ?? -1n, ours).map(({ seen }) => seen)).toEqual(
          left(n, theirs).map(({ seen }) => seen),
        )
      }
    })
  })

  describe('kmig offsets', () => {
    const kmig = async (...args: string[]) => {
      const ends = ['--from', world.bootstrap('old'), '--to', world.bootstrap('new'), '--name', 'map']
      const command = new Command(spawn(process.execPath, ['bin/kmig.js', 'offsets', ...args, ...ends]))
      return { ...(await command.ended), stdout: command.stdout }
    }
    const topic = 'killed-translated'

    test('translate gives every offset both ways, for a pipe and as JSON; what is not copied yet is said to be', async () => {
      const { theirs, ours } = await expectExactMap('map', topic, 1)
      const some = theirs.map((row, i) => ({ from: row.offset, to: ours[i]?.offset })).slice(0, 20)
      const of = ['--topic', topic, '--partition', '1']
      const there = await kmig('translate', ...of, ...some.flatMap(({ from }) => ['--offset', `${from}`]))
      expect(there).toMatchObject({ code: 0, stdout: some.map(({ to }) => `${to}\n`).join('') })
      const back = await kmig(
        ...['translate', ...of, '--reverse', '--json'],
        ...some.flatMap(({ to }) => ['--offset', `${to}`]),
        ...['--offset', '999999'],
      )
      const { mode, translations } = JSON.parse(back.stdout)
      expect(mode).toBe('translated')
      expect(translations.map(({ at }: { at?: string }) => at)).toEqual([
        ...some.map(({ from }) => `${from}`),
        undefined,
      ])
      expect(translations.at(-1)).toMatchObject({ kind: 'wait' })
    })

    test('show changes nothing and says what sync then does', async () => {
      await commitOffsets(world.old, 'late', [{ topic, partition: 1, offset: 5n, metadata: 'm' }])
      const shown = JSON.parse((await kmig('show', '--groups', 'late', '--json')).stdout)
      expect(shown.rows).toMatchObject([{ group: 'late', source: '5', outcome: { kind: 'movable' } }])
      expect((await groupOffsets(world.next, ['late'])).get('late') ?? []).toEqual([])
      const { code, stdout } = await kmig('sync', '--groups', 'late', '--json')
      expect(code).toBe(0)
      const { at } = shown.rows[0].outcome
      expect(JSON.parse(stdout).rows).toMatchObject([{ outcome: { kind: 'committed', at } }])
      expect((await groupOffsets(world.next, ['late'])).get('late')).toMatchObject([
        { partition: 1, offset: BigInt(at), metadata: 'm' },
      ])
    })
  })

  for (const [topic, offsets] of [['killed', 'auto']] as const)
    test(`killed ${KILLS} times in one copy over holes (${offsets}), it leaves every record once, the map exact`, async () => {
      const copied = () => world.total(world.next, [topic]).catch(() => 0n)
      let midway = 0
      for (let kill = 0; kill < KILLS; kill++) {
        for (const partition of [0, 1])
          await world.more(topic, partition, { batches: 100, records: 3, size: 200 })
        const total = await world.total(world.old, [topic])
        const command = world.command(topic, [topic], '--offsets', offsets)
        const before = await copied()
        while ((await copied()) <= before && command.process.exitCode === null) await sleep(5)
        await sleep(Math.random() * 60)
        command.process.kill('SIGKILL')
        await once(command.process, 'exit')
        if ((await copied()) < total) midway++
      }
      expect(midway, 'every kill came after the copy was done').toBeGreaterThan(0)
      const report = await world.mirror(topic, [topic], { offsets })
      expect(exitOf(report)).toBe(0)
      for (const partition of [0, 1]) {
        await expectExactMap(topic, topic, partition)
        await expectChain(topic, partition)
      }
    })
})

/** The producer of a mirror's control records, as its state has it. */
const controlOf = async (world: MirrorWorld, mirror: string) => {
  const kept = await StateTopic.read(world.next, mirror, { signal: new AbortController().signal })
  const identity = kept && new MirrorState(kept).identity
  if (!identity) throw new Error(`mirror ${mirror} has no state`)
  return { id: identity.controlProducerId, epoch: identity.controlProducerEpoch + 1 }
}

/** Writes one control record, as a request that came twice would. */
const marker = async (
  cluster: Cluster,
  topic: string,
  partition: number,
  { id, epoch }: { id: bigint; epoch: number },
) => {
  await cluster.metadata([topic])
  const connection = await cluster.connection(cluster.leaderOf(topic, partition)?.nodeId ?? 0, 'test-marker')
  const topics = [{ topic, partitions: [partition] }]
  const answer = await connection.send(
    WriteTxnMarkers,
    { markers: [{ producerId: id, producerEpoch: epoch, committed: true, topics, coordinatorEpoch: 0 }] },
    { timeoutMs: 10_000 },
  )
  expect(answer.markers[0]?.topics[0]?.partitions[0]?.errorCode).toBe(0)
}
