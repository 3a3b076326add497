import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Cutover, type CutoverEvent, takeBack } from '../../src/cutover/index.ts'
import { createPartitions, createTopics, deleteTopics } from '../../src/kafka/index.ts'
import { isKmigError, Offset, parseBootstrap } from '../../src/kit/index.ts'
import { discoveryText } from '../discovery/cases.ts'
import { MirrorWorld } from '../mirror-world.ts'
import { commit } from '../reverse-world.ts'
import { servers } from '../sandbox-helper.ts'

/** The topic of each cutover. */
const NAMES = ['held', 'lossy', 'free', 'late'] as const

servers('what somebody makes on the new cluster after the switch', () => {
  let world: MirrorWorld
  let home: string
  const { signal } = new AbortController()
  beforeAll(async () => {
    home = mkdtempSync(join(tmpdir(), 'kmig-beside-'))
    world = await MirrorWorld.open()
    await made('theirs', 1) // there before, and none of kmig's business
  })
  afterAll(async () => {
    await world?.[Symbol.asyncDispose]()
    rmSync(home, { recursive: true, force: true })
  })

  const made = (name: string, partitions: number) =>
    createTopics(world.next, [{ name, partitions, replicationFactor: 1 }])
  const write = async (topic: string, partition: number, count: number) => {
    const records = Array.from({ length: count }, (_, i) => ({ key: null, value: Buffer.from(`v${i}`) }))
    await world.write(world.next, topic, records, { partition })
  }
  /** A cutover of all topics but those that other tests of this file moved, up to its switch. */
  const switched = async (name: (typeof NAMES)[number], more: { wayBack?: boolean } = {}) => {
    const exclude = NAMES.filter(each => each !== name).map(each => `${each}*`)
    const root = join(home, name)
    const [stateDir, discovery] = [join(root, 'state'), join(root, 'srv-configs')]
    mkdirSync(discovery, { recursive: true })
    const file = join(discovery, 'standard.yaml')
    const before = discoveryText({ devc: [world.bootstrap('old')] })
    writeFileSync(file, before)
    await world.make(name)
    await world.write(world.old, name, [{ key: null, value: Buffer.from('v') }])
    await using cutover = await Cutover.open({
      from: { name: 'old', bootstrap: parseBootstrap(world.bootstrap('old')) },
      to: { name: 'new', bootstrap: parseBootstrap(world.bootstrap('new')) },
      ...{ discovery, stateDir, name, exclude, groups: [`${name}-*`], stillForMs: 1_000, signal, ...more },
    })
    await cutover.execute()
    const told: string[] = []
    const on = (event: CutoverEvent) => {
      if (event.kind === 'mirror' && event.event.kind === 'warning') told.push(event.event.where)
    }
    const back = async (lossy = false) =>
      await takeBack({ stateDir, stillForMs: 1_000, lossy, signal, on }).catch(e => {
        if (!isKmigError(e)) throw e
        return { code: e.code, exit: e.exit, message: e.message }
      })
    const restored = () => readFileSync(file, 'utf8') === before
    return { stateDir, back, restored, told }
  }

  test('with records it refuses a rollback before anybody is stopped, by partition and number; emptied or deleted it is only told', async () => {
    const { stateDir, back, restored, told } = await switched('held')
    await createPartitions(world.next, [{ name: 'held', partitions: 3 }])
    await made('held-fresh', 2)
    await made('__own', 1)
    for (const [topic, partition, count] of [
      ...([
        ['held', 0, 4],
        ['held', 2, 2],
        ['held-fresh', 1, 5],
        ['theirs', 0, 9],
        ['__own', 0, 9],
      ] as const),
    ])
      await write(topic, partition, count)
    await commit(world.next, 'held-read', { 'held-0': 3n, 'held-1': 0n, 'held-2': 1n })

    const asked = world.run('cutover', 'rollback', '--state-dir', stateDir)
    expect((await asked.ended).code).toBe(7)
    expect(asked.stderr).toMatch(
      /ROLLBACK_REFUSED.* would lose held-2 \(2 records\), held-fresh-1 \(5 records\)\n/,
    )
    expect(asked.stderr).not.toMatch(/keeping writers off|theirs|__own/)
    expect(restored()).toBe(false)

    await deleteTopics(world.next, ['held-fresh'])
    await world.next.deleteRecords([{ topic: 'held', partition: 2, offset: Offset(2n) }])
    expect(await back()).toMatchObject({ lost: [] })
    expect(told).toEqual(['held-1', 'held-2'])
    expect(restored()).toBe(true)
    expect((await world.ends(world.old, ['held'])).get('held-0')).toBe(5n)
  })

  test('by consent it stays behind, and is named: with a way back, and without one', async () => {
    for (const wayBack of [true, false]) {
      const name = wayBack ? 'lossy' : 'free'
      const { back, restored } = await switched(name, { wayBack })
      await createPartitions(world.next, [{ name, partitions: 2 }])
      await write(name, 1, 7)
      const refused = await back()
      expect(refused).toMatchObject({ code: 'ROLLBACK_REFUSED', exit: 7 })
      expect(refused).toMatchObject({ message: expect.stringContaining(`would lose ${name}-1 (7 records)`) })
      expect(restored()).toBe(false)
      expect(await back(true)).toMatchObject({
        lost: [expect.stringMatching(new RegExp(`^${name}-1: 0-6 \\(made there after the switch`))],
      })
      expect(restored()).toBe(true)
    }
  })

  test('a record that comes to it while kmig goes back refuses too, and the run goes on where it was', async () => {
    const { stateDir, restored } = await switched('late')
    await createPartitions(world.next, [{ name: 'late', partitions: 2 }])
    const states: string[] = []
    let writing: Promise<void> | undefined
    const on = (event: CutoverEvent) => {
      if (event.kind !== 'state') return
      states.push(event.state.at)
      if (event.state.at === 'back-fencing') writing = write('late', 1, 3)
    }
    const going = takeBack({ stateDir, stillForMs: 1_000, signal, on })
    await expect(going).rejects.toMatchObject({
      code: 'ROLLBACK_REFUSED',
      message: expect.stringContaining('late-1 (3 records)'),
    })
    await writing
    expect(states).toEqual(['back-fencing', 'back-still', 'switched'])
    expect(restored()).toBe(false)
  })
})
