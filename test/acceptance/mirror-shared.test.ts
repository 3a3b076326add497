import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { groupOffsets } from '../../src/kafka/index.ts'
import { sleep } from '../../src/kit/index.ts'
import { type Command, MirrorWorld } from '../mirror-world.ts'
import { servers } from '../sandbox-helper.ts'

/** A process with a state directory of its own, as on a host of its own. */
const process = (world: MirrorWorld, name: string, topic: string, ...more: string[]): Command => {
  const stateDir = mkdtempSync(join(tmpdir(), 'kmig-host-'))
  onTestFinished(() => rmSync(stateDir, { recursive: true, force: true }))
  return world.command(name, [topic], '--state-dir', stateDir, ...more)
}
const says = async (command: Command, what: RegExp, times = 1): Promise<void> => {
  let ended = false
  void command.ended.then(() => {
    ended = true
  })
  const said = () => (command.stderr.match(new RegExp(what, 'g')) ?? []).length >= times
  while (!said() && !ended) await sleep(30)
  if (!said()) throw new Error(`a process ended before it said ${what}`)
}
const SHARES = /copies \d+ partitions? of the mirror/

servers('several processes share a mirror', () => {
  let world: MirrorWorld
  beforeAll(async () => {
    world = await MirrorWorld.open()
  })
  afterAll(() => world?.[Symbol.asyncDispose]())

  test('one is joined by another, they copy each partition once between them, and one goes on alone when the other ends', async () => {
    await world.fill('shared', { partitions: 6, batches: 30, records: 20, size: 500 })
    const first = process(world, 'shared', 'shared')
    await world.copied(['shared'], 0.9)
    const second = process(world, 'shared', 'shared')
    await Promise.all([says(first, SHARES), says(second, SHARES)])
    await Promise.all(
      [0, 1, 2, 3, 4, 5].map(partition => world.more('shared', partition, { batches: 30, records: 5 })),
    )
    await world.copied(['shared'], 1)
    const claims = (await groupOffsets(world.next, ['__kmig.shared'])).get('__kmig.shared') ?? []
    const owners = claims.map(({ metadata }) => JSON.parse(metadata ?? '{}'))
    expect(owners).toHaveLength(6)
    expect(new Set(owners.map(({ instance }) => instance)).size).toBe(2)
    expect(new Set(owners.map(({ kind }) => kind))).toEqual(new Set(['held']))

    second.process.kill('SIGTERM')
    expect((await second.ended).code).toBe(143)
    await world.more('shared', 0, { batches: 5 })
    await world.more('shared', 5, { batches: 5 })
    await world.copied(['shared'], 1)
    first.process.kill('SIGTERM')
    expect((await first.ended).code).toBe(143)
    await world.expectEqual(['shared'])
  })

  test('a topic that appears is shared out among the processes that run', async () => {
    await world.fill('grown-1', { partitions: 2, batches: 5 })
    const [first, second] = [process(world, 'grown', 'grown-*'), process(world, 'grown', 'grown-*')]
    await Promise.all([says(first, SHARES), says(second, SHARES)])
    await world.fill('grown-2', { partitions: 4, batches: 10 })
    const signal = AbortSignal.timeout(60_000)
    while ((await world.next.metadata(['grown-2'])).some(({ error }) => error !== 0)) await sleep(100, signal)
    await world.copied(['grown-1', 'grown-2'], 1)
    for (const each of [first, second]) each.process.kill('SIGTERM')
    for (const each of [first, second]) expect((await each.ended).code).toBe(143)
    await world.expectEqual(['grown-1', 'grown-2'])
  })

  test('what needs every partition for itself refuses while another process runs the mirror, and names its host', async () => {
    await world.fill('mine', { batches: 3 })
    const other = process(world, 'mine', 'mine')
    await world.copied(['mine'], 1)
    await expect(world.mirror('mine', ['mine'], { exclusive: true })).rejects.toMatchObject({
      code: 'LOCKED',
      message: expect.stringMatching(/other processes \(from 127/),
    })
    other.process.kill('SIGTERM')
    expect((await other.ended).code).toBe(143)
    await world.mirror('mine', ['mine'], { exclusive: true })
  })
})
