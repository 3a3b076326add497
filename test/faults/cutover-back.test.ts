import { afterAll, beforeAll, expect, test } from 'vitest'
import { Cutover, completeRun, cutoverStatus, takeBack } from '../../src/cutover/index.ts'
import { newRun } from '../../src/load/index.ts'
import { runMirror } from '../../src/mirror/index.ts'
import { demoCast } from '../../src/story/cast.ts'
import { Crowd } from '../../src/story/crowd.ts'
import { changedFiles, snapshot } from '../../src/story/discovery-files.ts'
import { judge } from '../../src/story/verdict.ts'
import { furnish, openWorld, TOPICS, type World } from '../../src/story/world.ts'
import { sandboxOptions, servers } from '../sandbox-helper.ts'

const { signal } = new AbortController()
const wait = (ms: number) => new Promise(done => setTimeout(done, ms))

servers('the whole way, there and back and there again, with live clients that follow the files', () => {
  let world: World
  let crowd: Crowd
  beforeAll(async () => {
    world = await openWorld({ ...sandboxOptions(), prefix: 'kmig-there-and-back-', signal })
    await furnish(world, signal)
    crowd = await Crowd.open(demoCast(world), { run: newRun(), journals: world.journals })
  }, 120_000)
  afterAll(async () => {
    await crowd?.[Symbol.asyncDispose]()
    await world?.[Symbol.asyncDispose]()
  })

  const cutOver = async () => {
    const side = ({ name, bootstrap, zookeeper }: World['old']) => ({ name, bootstrap, zookeeper })
    await using cutover = await Cutover.open({
      from: side(world.old),
      to: side(world.next),
      discovery: world.discovery,
      stateDir: world.state,
      stillForMs: 1_000,
      check: true,
      signal,
    })
    return await cutover.execute()
  }
  const at = ({ bootstrap }: World['old']) => [bootstrap.map(({ host, port }) => `${host}:${port}`).join(',')]
  /** Readers read until nothing has come for a while; then all clients end. */
  const stop = async () => {
    await crowd.stopWriters()
    for (let quiet = 0, read = -1; quiet < 4; quiet = crowd.read === read ? quiet + 1 : 0) {
      read = crowd.read
      await wait(250)
    }
    await crowd.stopReaders()
  }

  test('clone, cut over, run, roll back, run, cut over again, complete: nothing lost, repeated or out of order', async () => {
    await crowd.start()
    await wait(2_000)
    await runMirror({ from: world.old, to: world.next, stateDir: world.state, untilCaughtUp: true, signal })
    const before = await snapshot(world.discovery)

    await stop()
    const first = await cutOver()
    expect(first.certificate?.unexplained).toEqual([])
    expect(changedFiles(before, await snapshot(world.discovery))).not.toEqual([])
    await crowd.start()
    expect([...crowd.at]).toEqual(at(world.next))
    await wait(2_000)

    await stop()
    const back = await takeBack({ stateDir: world.state, stillForMs: 1_000, signal })
    expect(back.files.changed).not.toEqual([])
    expect(changedFiles(before, await snapshot(world.discovery))).toEqual([])
    await crowd.start()
    expect([...crowd.at]).toEqual(at(world.old))
    await wait(2_000)

    await stop()
    const second = await cutOver()
    expect(second.run).not.toBe(first.run)
    await crowd.start()
    expect([...crowd.at]).toEqual(at(world.next))
    await wait(2_000)
    await completeRun({ stateDir: world.state, signal })
    expect(await cutoverStatus({ stateDir: world.state })).toMatchObject({ state: 'complete', class: 'NONE' })
    await stop()

    const logs = await judge(world, crowd, { topics: TOPICS.map(({ name }) => name), signal })
    expect(logs.faults).toEqual([])
    expect(logs).toMatchObject({ offsetsIdentical: true, skipped: 0, reread: 0 })
    expect(logs.totals).toMatchObject({ lost: 0, repeated: 0, outOfOrder: 0, phantom: 0, foreign: 0 })
    await expect(takeBack({ stateDir: world.state, signal })).rejects.toMatchObject({ code: 'WRONG_STATE' })
  }, 180_000)
})
