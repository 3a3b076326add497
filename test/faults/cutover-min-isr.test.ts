import { afterAll, beforeAll, expect, test } from 'vitest'
import { FenceWorld } from '../fence-world.ts'
import { servers } from '../sandbox-helper.ts'

servers('a whole cutover from Kafka 2.8.2 by min.insync.replicas', () => {
  let f: FenceWorld
  beforeAll(async () => {
    // patient enough for a fence that is let go, and no more: whoever is told to end must not wait for it
    f = await FenceWorld.open({ old: { version: '2.8.2' } }, { writers: { retries: 5 } })
    await f.crowd.start()
    await f.written()
  })
  afterAll(async () => await f?.[Symbol.asyncDispose]())

  test('killed behind the fence writers are let go on; run, soak and a way back whose writers the operator stops lose and repeat nothing, and leave settings as they were', async () => {
    const before = await f.traces(f.world.old)
    const { text } = f
    const hooks = await f.hooks({ 'reload-clients': () => f.restart() })
    const fence = [...hooks, '--fence', 'min-isr', '--soak']
    const killed = f.cutover(...fence)
    await killed.says('\nstill:')
    killed.child.kill('SIGKILL')
    await killed.ended
    await f.sameTraces(f.world.old, before)
    await f.written()
    expect(f.text).toBe(text)

    const run = f.cutover(...fence)
    await run.says('\nswitched:')
    await f.sameTraces(f.world.old, before)
    expect([...f.crowd.at]).toEqual([f.bootstrap('new')])
    await run.says('\nsoaking:')
    await f.written()

    await f.crowd.stopWriters()
    const back = f.kmig('cutover', 'rollback')
    await back.well()
    expect(back.said).toContain('keeping writers off the new cluster: you stop the writers')
    expect(await run.ended).toBe(0)
    expect(f.text).toBe(text)
    await f.crowd.reload()
    expect([...f.crowd.at]).toEqual([f.bootstrap('old')])
    await f.written()
    await f.sameTraces(f.world.old, before)
    expect(await f.judge(f.world.old)).toMatchObject({ lost: 0, repeated: 0, faults: [] })
  })
})
