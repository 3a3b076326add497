import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { deleteTopics } from '../../src/kafka/index.ts'
import { parseBootstrap, sleep } from '../../src/kit/index.ts'
import { translateOffsets } from '../../src/mirror/offsets.ts'
import { committedOf, HOURS_48, MirrorWorld, transactions } from '../mirror-world.ts'
import { commit, committed, cutOf, wayBack } from '../reverse-world.ts'
import { servers } from '../sandbox-helper.ts'

servers('the way back of a cutover, when something goes wrong', () => {
  let world: MirrorWorld
  beforeAll(async () => {
    world = await MirrorWorld.open()
  })
  afterAll(async () => {
    await world[Symbol.asyncDispose]()
  })

  const records = (from: number, count: number, who: string, agedMs = 0) =>
    Array.from({ length: count }, (_, i) => ({
      timestamp: BigInt(Date.now() - agedMs),
      key: Buffer.from(`${from + i}`),
      value: Buffer.alloc(200, `${who} ${from + i} `),
    }))
  const seen = async (side: 'old' | 'next', topic: string, partition = 0) =>
    (await committedOf(world[side], topic, partition)).map(each => each.seen)

  test('killed ten times under writers of plain records, old ones and transactions, and started again, it leaves both clusters equal at equal offsets; no other process joins in', async () => {
    const topics = ['kill-plain', 'kill-old', 'kill-holes']
    for (const topic of topics) await world.fill(topic, { partitions: 2, batches: 10, records: 4, size: 100 })
    await world.mirror('kill', topics)
    {
      await using reverse = await wayBack(world, 'kill', 'run-1')
      await reverse.arm(await cutOf(world, topics))
    }
    const writing = new AbortController()
    const writer = async (topic: string, partition: number, agedMs = 0) => {
      for (let n = 0; !writing.signal.aborted; n++) {
        await world.write(world.next, topic, records(n * 3, 1 + (n % 3), topic, agedMs), { partition })
        await sleep(5)
      }
    }
    const apart = async () => {
      for (let round = 0; !writing.signal.aborted; round++)
        await transactions(world, 'kill-holes', {
          partitions: 2,
          rounds: 4,
          from: round * 10,
          on: world.next,
        })
    }
    const writers = [
      writer('kill-plain', 0),
      writer('kill-plain', 1),
      writer('kill-old', 0, HOURS_48),
      writer('kill-old', 1, HOURS_48),
      apart(),
    ]
    for (let kill = 0; kill < 10; kill++) {
      const args = [world.bootstrap('new'), world.bootstrap('old'), 'kill', 'run-1', world.stateDir]
      const child = spawn(process.execPath, ['test/reverse-child.ts', ...args], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      onTestFinished(() => void child.kill('SIGKILL'))
      const before = await world.total(world.old, topics)
      await once(child.stdout, 'data')
      while ((await world.total(world.old, topics)) === before) {
        expect(child.exitCode, 'it ended before its kill').toBeNull()
        await sleep(20)
      }
      await sleep(Math.random() * 500)
      child.kill('SIGKILL')
      expect((await once(child, 'exit'))[1]).toBe('SIGKILL')
    }
    writing.abort()
    await Promise.all(writers)
    await using reverse = await wayBack(world, 'kill', 'run-1')
    await using other = await wayBack(world, 'kill', 'run-1')
    await using far = await wayBack(world, 'kill', 'run-1', { stateDir: `${world.stateDir}/far` })
    expect(await reverse.arm(reverse.cut)).toMatchObject({ already: true })
    await expect(other.arm(other.cut)).rejects.toMatchObject({ code: 'LOCKED' })
    await reverse.start()
    await far.arm(far.cut)
    await expect(far.start()).rejects.toMatchObject({ code: 'LOCKED' })
    await expect(reverse.disarm()).rejects.toMatchObject({ code: 'PREFLIGHT' })
    const r = await world.ends(world.next, topics)
    const { points } = await reverse.drained(r)
    expect(points).toEqual(new Map([...r].map(([where, end]) => [where, { next: end, old: end }])))
    expect(reverse.report().filter(({ filled }) => filled > 0n)).toHaveLength(2)
    for (const topic of topics)
      for (const partition of [0, 1])
        expect(await committedOf(world.old, topic, partition)).toEqual(
          await committedOf(world.next, topic, partition),
        )
  })

  test('a writer that goes on writing to the old cluster stops its partition alone, by the exact offsets; after the rollback the mirror stops on it too, until its copy is deleted and made anew', async () => {
    const topics = ['stray-hit', 'stray-well']
    for (const topic of topics) await world.fill(topic, { batches: 10, records: 4, size: 100 })
    await world.mirror('stray', topics)
    await using reverse = await wayBack(world, 'stray', 'run-1')
    await reverse.arm(await cutOf(world, topics))
    await reverse.start()
    for (const topic of topics) await world.write(world.next, topic, records(0, 5, 'new'))
    await reverse.drained(await world.ends(world.next, topics))
    await world.write(world.old, 'stray-hit', records(0, 3, 'stray'))
    for (const topic of topics) await world.write(world.next, topic, records(5, 5, 'new'))
    while (!reverse.lanes.some(lane => lane.stopped)) await sleep(50)
    const r = await world.ends(world.next, topics)
    await expect(reverse.drained(r)).rejects.toThrow(/stray-hit-0 on the old cluster: .*4[58]/)
    const lag = await reverse.lag()
    expect(lag.stopped.map(({ where, error }) => [where, error.code])).toEqual([
      ['stray-hit-0', 'FOREIGN_WRITE'],
    ])
    expect(lag.stranded).toEqual([{ where: 'stray-hit-0', from: 45n, to: 48n, carried: false }])
    const lossy = await reverse.drained(r, { lossy: true })
    expect(lossy.points.get('stray-well-0')).toEqual({ next: 50n, old: 50n })
    expect(lossy.missing.map(({ where, to }) => [where, to])).toEqual([['stray-hit-0', 50n]])
    expect(await seen('old', 'stray-well')).toEqual(await seen('next', 'stray-well'))
    await reverse.stop()
    await reverse.rejoinForward(lossy)
    await world.write(world.old, 'stray-well', records(0, 4, 'old again'))
    const again = await world.mirror('stray', topics)
    expect(again.partitions.map(({ topic, stopped }) => [topic, stopped?.code])).toEqual([
      ['stray-hit', 'FOREIGN_WRITE'],
      ['stray-well', undefined],
    ])
    expect(await seen('old', 'stray-well')).toEqual(await seen('next', 'stray-well'))
    await deleteTopics(world.next, ['stray-hit'])
    const anew = await world.mirror('stray', topics)
    expect(anew.partitions.map(({ mode, stopped }) => [mode, stopped])).toEqual([
      ['identical', undefined],
      ['identical', undefined],
    ])
    for (const topic of topics) expect(await seen('old', topic)).toEqual(await seen('next', topic))
  })

  test('the old cluster’s only broker is killed while records come back, twice, and later the new one’s: nothing is lost or twice, and no offset moves', async () => {
    const topics = ['bounce', 'bounce-holes']
    for (const topic of topics)
      await world.fill(topic, { batches: 10, records: 4, size: 100, agedMs: HOURS_48 })
    await world.mirror('bounce', topics)
    await using reverse = await wayBack(world, 'bounce', 'run-1')
    await reverse.arm(await cutOf(world, topics))
    await reverse.start()
    const writing = new AbortController()
    const writer = (async () => {
      for (let n = 0; !writing.signal.aborted; n++) {
        await world.write(world.next, 'bounce', records(n * 3, 3, 'new', HOURS_48))
        if (n % 40 === 0) await transactions(world, 'bounce-holes', { rounds: 3, from: n, on: world.next })
      }
    })()
    for (let bounce = 0; bounce < 2; bounce++) {
      const before = await world.total(world.old, topics)
      while ((await world.total(world.old, topics)) < before + 50n) await sleep(20)
      const broker = world.clusters.old.node(1)
      await broker.stop('kill')
      await sleep(2_000)
      await broker.start()
    }
    writing.abort()
    await writer
    const broker = world.clusters.new.node(1)
    await broker.stop('kill')
    await broker.start()
    const r = await world.ends(world.next, topics)
    const { points } = await reverse.drained(r)
    expect(points).toEqual(new Map([...r].map(([where, end]) => [where, { next: end, old: end }])))
    for (const topic of topics)
      expect(await committedOf(world.old, topic, 0)).toEqual(await committedOf(world.next, topic, 0))
  })

  test('what was stranded on the old cluster is carried to the new one, once for all kills, and then both have the same records, there and back and there again', async () => {
    const topic = 'carried'
    const sorted = async (side: 'old' | 'next') => (await seen(side, topic)).sort()
    await world.fill(topic, { batches: 10, records: 4, size: 100 })
    await world.mirror('carry', [topic])
    const cut = await cutOf(world, [topic])
    await world.write(world.old, topic, records(0, 3, 'stray before arming'))
    {
      await using reverse = await wayBack(world, 'carry', 'run-1')
      await reverse.arm(cut)
      await world.write(world.next, topic, records(0, 5, 'new'))
      const killed = new AbortController()
      await using beside = await wayBack(world, 'carry', 'run-1', {
        signal: killed.signal,
        stateDir: `${world.stateDir}/beside`,
      })
      await beside.arm(reverse.cut)
      killed.abort(new Error('killed'))
      await expect(beside.carry()).rejects.toThrow()
      expect(await reverse.carry()).toMatchObject([
        { from: 40n, to: 43n, carried: true, carry: { from: 45n, to: 48n } },
      ])
      await reverse.carry()
      await world.write(world.next, topic, records(5, 5, 'new'))
      await reverse.start()
      await reverse.drained(await world.ends(world.next, [topic]))
      expect(await sorted('old')).toEqual(await sorted('next'))
      expect(await seen('old', topic)).toHaveLength(53)
      await world.write(world.old, topic, records(0, 200, 'stray after that'), { codec: 4 })
      await world.write(world.next, topic, records(10, 5, 'new'))
      while (!reverse.lanes.some(lane => lane.stopped)) await sleep(50)
      await reverse.lag()
      await reverse.stop()
    }
    await using reverse = await wayBack(world, 'carry', 'run-1')
    expect((await reverse.arm(cut)).stranded.map(({ carried }) => carried)).toEqual([true, false])
    expect((await reverse.carry()).map(({ from, to, carried }) => [from, to, carried])).toEqual([
      [40n, 43n, true],
      [53n, 253n, true],
    ])
    await reverse.start()
    await world.write(world.next, topic, records(15, 5, 'new'))
    await commit(world.next, 'carry-read', { 'carried-0': 54n })
    await commit(world.next, 'carry-done', { 'carried-0': 259n })
    const drained = await reverse.drained(await world.ends(world.next, [topic]))
    const old = await seen('old', topic)
    const next = await seen('next', topic)
    expect(old).toHaveLength(263)
    expect([...old].sort()).toEqual([...next].sort())
    expect((await reverse.groupsBack(drained)).refused).toEqual([])
    const read = (await committed(world.old, 'carry-read'))['carried-0'] ?? 0n
    expect(next.slice(54).filter(each => !old.slice(Number(read)).includes(each))).toEqual([])
    const done = (await committed(world.old, 'carry-done'))['carried-0'] ?? 0n
    expect(old.slice(Number(done))).toEqual(next.slice(259))
    await reverse.stop()
    await reverse.rejoinForward(drained)
    await world.write(world.old, topic, records(0, 9, 'old again'))
    const again = await world.mirror('carry', [topic])
    expect(again.partitions.map(({ mode, stopped, records }) => [mode, stopped, records])).toEqual([
      ['translated', undefined, 9n],
    ])
    expect(await sorted('old')).toEqual(await sorted('next'))
    expect((await seen('next', topic)).slice(-9)).toEqual((await seen('old', topic)).slice(-9))
  })

  test('records that came to the old cluster between cut and arming are named, and what follows them is taken back after them', async () => {
    await world.fill('late-hit', { batches: 10, records: 4, size: 100 })
    await world.mirror('late', ['late-hit'])
    const cut = await cutOf(world, ['late-hit'])
    await world.write(world.old, 'late-hit', records(0, 3, 'stray'))
    await using reverse = await wayBack(world, 'late', 'run-1')
    expect(await reverse.arm(cut)).toMatchObject({
      translated: [{ where: 'late-hit-0' }],
      stranded: [{ where: 'late-hit-0', from: 40n, to: 43n, carried: false }],
    })
    await reverse.start()
    await world.write(world.next, 'late-hit', records(0, 5, 'new'))
    const { points } = await reverse.drained(await world.ends(world.next, ['late-hit']))
    expect(points.get('late-hit-0')).toEqual({ next: 45n, old: 48n })
    const [old, next] = [await seen('old', 'late-hit'), await seen('next', 'late-hit')]
    expect([...old.slice(0, 40), ...old.slice(43)]).toEqual(next)
  })

  test('a translated partition goes there and back and there again, twice, by exact maps, and its group resumes at its next record each time', async () => {
    const topic = 'turn'
    const all = async (side: 'old' | 'next') => await committedOf(world[side], topic, 0)
    await world.make(topic)
    await transactions(world, topic, { rounds: 12 })
    await world.write(world.old, topic, records(0, 3, 'old'))
    await world.mirror('turn', [topic], { offsets: 'translated' })
    expect(await seen('next', topic)).toEqual(await seen('old', topic))
    for (const round of [1, 2]) {
      await using back = await wayBack(world, 'turn', `run-${round}`, { offsets: 'translated' })
      const v = (await world.ends(world.old, [topic])).get('turn-0') ?? 0n
      const image = (await world.ends(world.next, [topic])).get('turn-0') ?? 0n
      expect(image).not.toBe(v)
      expect(await back.arm(await cutOf(world, [topic]))).toMatchObject({ translated: [{ where: 'turn-0' }] })
      await back.start()
      await transactions(world, topic, { rounds: 8, from: round * 100, on: world.next })
      await world.write(world.next, topic, records(10, 3, 'new'))
      const middle = (await all('next')).filter(({ offset }) => offset >= image)[5]
      await commit(world.next, 'turn-read', { 'turn-0': middle?.offset ?? 0n })
      const drained = await back.drained(await world.ends(world.next, [topic]))
      expect(await seen('old', topic)).toEqual(await seen('next', topic))
      await back.groupsBack(drained)
      const at = (await committed(world.old, 'turn-read'))['turn-0'] ?? 0n
      expect((await all('old')).find(({ offset }) => offset >= at)?.seen).toBe(middle?.seen)
      await back.stop()
      await back.rejoinForward(drained)
      await world.write(world.old, topic, records(20, 3, 'old again'))
      await transactions(world, topic, { rounds: 6, from: round * 100 + 50 })
      const again = await world.mirror('turn', [topic], { offsets: 'translated' })
      expect(again.partitions[0]?.stopped).toBeUndefined()
      expect(await seen('next', topic)).toEqual(await seen('old', topic))
      const { translations } = await translateOffsets({
        from: { name: 'old', bootstrap: parseBootstrap(world.bootstrap('old')) },
        to: { name: 'new', bootstrap: parseBootstrap(world.bootstrap('new')) },
        offsets: (await all('old')).map(({ offset }) => offset),
        ...{ name: 'turn', topic, partition: 0, reverse: false },
        signal: AbortSignal.timeout(60_000),
      })
      expect(translations.map(each => (each.kind === 'exact' ? each.at : each))).toEqual(
        (await all('next')).map(({ offset }) => offset),
      )
    }
    const verified = world.run(
      ...['verify', '--from', world.bootstrap('old'), '--to', world.bootstrap('new')],
      ...['--name', 'turn', '--topics', topic, '--groups', 'turn-*', '--json'],
    )
    expect((await verified.ended).code, verified.stderr + verified.stdout).toBe(0)
  })
})
