import { expect, test } from 'vitest'
import { servers } from '../sandbox-helper.ts'
import { blockAndCopy } from '../zkcopy/block-and-copy.ts'

servers('block and copy under a live writer', () => {
  test('the leader of the source killed in the middle: drained, verified, and equal to an ordinary client', async () => {
    const { changes } = await blockAndCopy({ znodes: 3_000, ensemble: 3, killLeader: true, kills: 1 })
    expect(changes).toBeGreaterThan(130)
  })
})
