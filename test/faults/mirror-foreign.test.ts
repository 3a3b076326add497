import { expect, test } from 'vitest'
import { ATTRIBUTE } from '../../src/kafka/index.ts'
import { sleep } from '../../src/kit/index.ts'
import { committedOf, headersOf, MirrorWorld, transactions } from '../mirror-world.ts'
import { servers } from '../sandbox-helper.ts'

/** What may be under way when a foreign record comes between. */
const PIPELINE = 5
const FOREIGN = 'foreign'

const until = async (what: string, is: () => Promise<boolean> | boolean, withinMs = 60_000) => {
  const end = performance.now() + withinMs
  while (!(await is())) {
    if (performance.now() > end) throw new Error(`not within ${withinMs} ms: ${what}`)
    await sleep(50)
  }
}

servers('a foreign record in the middle of a running mirror', () => {
  for (const [offsets, kind] of [
    ['auto', 'with filled holes'],
    ['translated', 'that is translated'],
  ] as const)
    test(`in a partition ${kind}: caught before anything follows it where it is quiet, and after what was under way where it is busy; FOREIGN_WRITE, exit 7, the other topics go on`, async () => {
      await using world = await MirrorWorld.open()
      const topics = ['quiet', 'busy', 'other']
      for (const topic of topics) {
        await world.make(topic)
        await transactions(world, topic, { rounds: 20 })
      }
      const copied = async (topic: string) => {
        const records = (await committedOf(world.old, topic, 0)).length
        return (await committedOf(world.next, topic, 0)).length === records && records > 0
      }
      const endOf = async (topic: string) => (await world.ends(world.next, [topic])).get(`${topic}-0`) ?? 0n
      const foreign = (topic: string) =>
        world.write(world.next, topic, [{ value: Buffer.from(FOREIGN), timestamp: BigInt(Date.now()) }])
      const mirror = world.command('m', topics, '--offsets', offsets, '--json')
      const stopped = (topic: string) =>
        until(`${topic} is stopped`, () =>
          new RegExp(`STOPPED ${topic}-0: FOREIGN_WRITE`).test(mirror.stderr),
        )
      for (const topic of topics) await until(`${topic} is copied`, () => copied(topic))

      const at = await foreign('quiet')
      await stopped('quiet')
      await transactions(world, 'quiet', { rounds: 3, from: 100 })

      let writing = true
      const writer = (async () => {
        for (let from = 200; writing; from += 100) await transactions(world, 'busy', { rounds: 5, from })
      })()
      const before = await endOf('busy')
      await until('it is busy', async () => (await endOf('busy')) > before + 20n)
      const among = await foreign('busy')
      await stopped('busy')
      const end = await endOf('busy')
      await transactions(world, 'other', { rounds: 5, from: 300 })
      await until('the others go on', () => copied('other'))
      writing = false
      await writer
      expect(await endOf('busy')).toBe(end)
      const after = (await headersOf(world.next, 'busy', 0)).filter(each => each.baseOffset > among)
      expect(after.filter(({ attributes }) => !(attributes & ATTRIBUTE.control)).length).toBeLessThanOrEqual(
        PIPELINE,
      )
      expect(await endOf('quiet')).toBe(at + 1n)

      mirror.process.kill('SIGTERM')
      expect((await mirror.ended).code).toBe(7)
      const codes = (stdout: string) =>
        JSON.parse(stdout).partitions.map((each: { topic: string; stopped?: { code: string } }) => [
          each.topic,
          each.stopped?.code,
        ])
      const expected = expect.arrayContaining([
        ['quiet', 'FOREIGN_WRITE'],
        ['busy', 'FOREIGN_WRITE'],
        ['other', undefined],
      ])
      expect(codes(mirror.stdout)).toEqual(expected)
      const again = world.command('m', topics, '--offsets', offsets, '--json', '--until-caught-up')
      expect((await again.ended).code).toBe(7)
      expect(codes(again.stdout)).toEqual(expected)
      expect([await endOf('quiet'), await endOf('busy')]).toEqual([at + 1n, end])
    })
})
