import { expect, test } from 'vitest'
import { servers } from '../sandbox-helper.ts'
import { blockAndCopy, type Story } from '../zkcopy/block-and-copy.ts'

const STORIES: Record<string, Story> = {
  'a writer changes 1 %': { znodes: 100_000, ensemble: 1, killLeader: false, kills: 0 },
  'the leader of three is killed in the middle': { znodes: 100_000, ensemble: 3, killLeader: true, kills: 0 },
  'the copy is killed ten times': { znodes: 100_000, ensemble: 1, killLeader: false, kills: 10 },
}

servers('block and copy of 100,000 znodes under a live writer', () => {
  for (const [title, story] of Object.entries(STORIES)) {
    test(`${title}: drained, verified, and equal to an ordinary client`, async () => {
      const cost = await blockAndCopy(story)
      process.stderr.write(`${title}: ${JSON.stringify(cost)}\n`)
      expect(cost.changes).toBeGreaterThan(1_000)
    })
  }
})
