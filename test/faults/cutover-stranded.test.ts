import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Cutover, completeRun, cutoverStatus, takeBack } from '../../src/cutover/index.ts'
import { describeTopicConfigs } from '../../src/kafka/index.ts'
import { parseBootstrap } from '../../src/kit/index.ts'
import { discoveryText } from '../discovery/cases.ts'
import { committedOf, MirrorWorld } from '../mirror-world.ts'
import { servers } from '../sandbox-helper.ts'

const TOPIC = 'orders'

servers('a writer that evades the seal', () => {
  let world: MirrorWorld
  let home: string
  const { signal } = new AbortController()
  beforeAll(async () => {
    home = mkdtempSync(join(tmpdir(), 'kmig-stranded-'))
    world = await MirrorWorld.open()
    mkdirSync(join(home, 'srv-configs'))
    writeFileSync(join(home, 'srv-configs/standard.yaml'), discoveryText({ devc: [world.bootstrap('old')] }))
    await world.make(TOPIC, 2, { 'retention.ms': '7200000' })
    for (const partition of [0, 1]) await write('old', 'begin', 10, partition)
  })
  afterAll(async () => {
    await world?.[Symbol.asyncDispose]()
    rmSync(home, { recursive: true, force: true })
  })

  const write = async (side: 'old' | 'next', who: string, count: number, partition: number) => {
    const records = Array.from({ length: count }, (_, i) => ({
      key: null,
      value: Buffer.from(`${who} ${i}`),
    }))
    await world.write(world[side], TOPIC, records, { partition })
  }
  const stateDir = () => join(home, 'state')
  const cutover = (more: { signal?: AbortSignal } = {}) =>
    Cutover.open({
      from: { name: 'old', bootstrap: parseBootstrap(world.bootstrap('old')) },
      to: { name: 'new', bootstrap: parseBootstrap(world.bootstrap('new')) },
      discovery: join(home, 'srv-configs'),
      stateDir: stateDir(),
      topics: [TOPIC],
      groups: ['none'],
      name: 'stranded',
      stillForMs: 1_000,
      signal,
      ...more,
    })
  const execute = async (how = {}) => {
    await using run = await cutover()
    return await run.execute(how)
  }
  /** Soaks until this holds. */
  const soakUntil = async (is: (stranded: string[]) => boolean) => {
    const stop = new AbortController()
    await using run = await cutover({ signal: stop.signal })
    const soaking = run.execute({ soak: true })
    const ended = soaking.then(
      () => 'ended',
      e => `ended: ${e}`,
    )
    while (!is((await cutoverStatus({ stateDir: stateDir() })).stranded))
      expect(await Promise.race([ended, wait(100)])).toBeUndefined()
    stop.abort()
    await ended
  }
  const seen = async (side: 'old' | 'next', partition: number) =>
    (await committedOf(world[side], TOPIC, partition)).map(each => each.seen)
  const retention = async () =>
    (await describeTopicConfigs(world.next, [TOPIC], { signal }))
      .get(TOPIC)
      ?.find(({ name }) => name === 'retention.ms')?.value

  test('is named with its offsets, on a partition without other writes too; its records alone are carried, are in the certificate, and the way back is whole again', async () => {
    expect((await execute()).stranded).toEqual([])
    for (const partition of [0, 1]) await write('old', 'stray', 3, partition)
    await write('next', 'new', 5, 0)
    await soakUntil(stranded => stranded.includes('orders-0: 10-12') && stranded.includes('orders-1: 10-12'))
    await expect(takeBack({ stateDir: stateDir(), signal })).rejects.toMatchObject({
      code: 'STRANDED',
      exit: 7,
    })

    const report = await execute({ carry: true })
    expect(report.stranded).toEqual([])
    expect(await seen('next', 1)).toEqual(await seen('old', 1))
    expect((await seen('next', 0)).slice(15)).toEqual((await seen('old', 0)).slice(10))
    const status = await cutoverStatus({ stateDir: stateDir() })
    expect(status.stranded).toEqual([])
    expect(status.carried).toEqual([
      'orders-0: 10-12, at 15-17 of the new cluster',
      'orders-1: 10-12, at 10-12 of the new cluster',
    ])
    const certificate = JSON.parse(readFileSync(report.certificate?.path ?? '', 'utf8'))
    expect(certificate.stranded).toEqual([
      { topic: TOPIC, partition: 0, from: '10', to: '13', carried: { from: '15', to: '18' } },
      { topic: TOPIC, partition: 1, from: '10', to: '13', carried: { from: '10', to: '13' } },
    ])
    expect(certificate.unexplained.filter((text: string) => text.startsWith('stranded'))).toEqual([])
    await execute({ carry: true })
    expect(await seen('next', 1)).toHaveLength(13)

    await write('next', 'later', 4, 0)
    await write('next', 'later', 4, 1)
    expect(await takeBack({ stateDir: stateDir(), stillForMs: 1_000, signal })).toMatchObject({ lost: [] })
    for (const partition of [0, 1]) {
      const [old, next] = [await seen('old', partition), await seen('next', partition)]
      expect(old.toSorted()).toEqual(next.toSorted())
    }
  }, 300_000)

  test('that nobody saw is found by complete, which asks once more; with the new cluster gone nothing is completed, with the old one gone what can be is', async () => {
    await execute()
    await write('old', 'unseen', 2, 1)
    const complete = () => completeRun({ stateDir: stateDir(), signal })
    await expect(complete()).rejects.toMatchObject({
      code: 'STRANDED',
      message: expect.stringMatching(/orders-1: \d+-\d+/),
    })
    await world.clusters.new.node(1).stop('kill')
    await expect(complete()).rejects.toMatchObject({
      code: 'UNREACHABLE',
      message: expect.stringContaining('nothing was completed'),
    })
    expect(await cutoverStatus({ stateDir: stateDir() })).toMatchObject({ state: 'switched' })
    await world.clusters.new.node(1).start()
    expect(await retention()).toBe('-1')

    await world.clusters.old.node(1).stop('kill')
    const done = await complete()
    expect(done).toMatchObject({
      state: 'complete',
      class: 'NONE',
      stranded: [expect.stringMatching(/^orders-1: /)],
    })
    expect(done.undone[0]).toMatch(/^'old' does not answer .*was not looked at again$/)
    expect(await retention()).toBe('7200000')
    expect(await complete()).toMatchObject({ state: 'complete', undone: [] })
  }, 300_000)
})
