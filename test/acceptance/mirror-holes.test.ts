import { afterAll, beforeAll, expect, test } from 'vitest'
import { exitOf } from '../../src/mirror/index.ts'
import { MirrorWorld, recordsOf, transactions } from '../mirror-world.ts'
import { servers } from '../sandbox-helper.ts'

servers('kmig mirror over holes', () => {
  let world: MirrorWorld
  beforeAll(async () => {
    world = await MirrorWorld.open()
  })
  afterAll(async () => world?.[Symbol.asyncDispose]())

  test('a transactional topic ends with every record at its own offset, aborts and an open transaction included', async () => {
    await world.make('txn', 2)
    await transactions(world, 'txn', { partitions: 2, rounds: 30 })
    const report = await world.mirror('txn', ['txn'])
    expect(exitOf(report)).toBe(0)
    for (const partition of [0, 1]) {
      const [theirs, ours] = [
        await recordsOf(world.old, 'txn', partition),
        await recordsOf(world.next, 'txn', partition),
      ]
      expect(theirs.length).toBeGreaterThan(50)
      expect(ours).toEqual(theirs)
    }
    expect(report.partitions.map(({ mode, filled, stopped }) => ({ mode, filled, stopped }))).toEqual(
      [0, 1].map(partition => ({ mode: 'identical', filled: expect.any(BigInt), stopped: undefined })),
    )
    expect(report.partitions[0]?.filled).toBeGreaterThan(20n)
    expect(await world.ends(world.next, ['txn'])).toEqual(await world.ends(world.old, ['txn']))
  })
})
