import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { parseBootstrap, sleep } from '../../src/kit/index.ts'
import { newRun } from '../../src/load/index.ts'
import { Crowd } from '../../src/story/crowd.ts'
import { judge } from '../../src/story/verdict.ts'
import { discoveryText } from '../discovery/cases.ts'
import { MirrorWorld } from '../mirror-world.ts'
import { servers } from '../sandbox-helper.ts'

const until = async (what: string, is: () => Promise<boolean> | boolean, withinMs = 120_000) => {
  const end = performance.now() + withinMs
  while (!(await is())) {
    if (performance.now() > end) throw new Error(`waited in vain for ${what}`)
    await sleep(50)
  }
}

servers('writers that move one by one, as docs/barrier.md says', () => {
  let world: MirrorWorld
  let crowd: Crowd
  let files: string
  let file: string
  let readersAt: 'old' | 'new' = 'old'
  const { signal } = new AbortController()
  const TOPICS = ['orders', 'hasty']

  beforeAll(async () => {
    world = await MirrorWorld.open()
    const home = world.stateDir
    files = join(home, 'srv-configs')
    file = join(files, 'standard.yaml')
    mkdirSync(files)
    mkdirSync(join(home, 'journals'))
    writeFileSync(file, discoveryText({ devc: [world.bootstrap('old')] }))
    await world.make('orders', 2)
    await world.make('hasty')
    const locate = async () => {
      const [, bootstrap = ''] = /- (\S+:\d+)/.exec(readFileSync(file, 'utf8')) ?? []
      return { bootstrap: parseBootstrap(bootstrap) }
    }
    crowd = await Crowd.open(
      {
        writers: [
          { places: [{ topic: 'orders', partition: 0 }], codec: 'none', locate },
          { places: [{ topic: 'orders', partition: 1 }], codec: 'gzip', locate },
          { places: [{ topic: 'hasty', partition: 0 }], codec: 'none', locate },
        ],
        readers: [
          {
            group: 'billing',
            topics: ['orders'],
            locate: async () => ({ bootstrap: parseBootstrap(world.bootstrap(readersAt)) }),
          },
        ],
      },
      { run: newRun(), journals: join(home, 'journals') },
    )
    await crowd.start()
    await until('first reads', () => crowd.readers.every(({ count }) => count > 0))
  }, 180_000)
  afterAll(async () => {
    await crowd?.[Symbol.asyncDispose]()
    await world?.[Symbol.asyncDispose]()
  })

  const sides = () => ['--from', world.bootstrap('old'), '--to', world.bootstrap('new')]
  const kmig = async (...args: string[]) => {
    const command = world.run(...args, ...sides(), '--state-dir', world.stateDir)
    const { code } = await command.ended
    return { code, stdout: command.stdout, stderr: command.stderr }
  }
  const barrier = (...more: string[]) => kmig('barrier', '--name', 'roll', ...more)
  const mirror = () => world.command('roll', TOPICS, '--groups', 'billing', '--progress', 'plain')
  const client = (index: number) => {
    const found = crowd.writers[index]
    if (!found) throw new Error(`no writer ${index}`)
    return found
  }
  const more = async (index: number) => {
    const before = client(index).count
    await until('writes', () => client(index).count > before + 50)
  }

  test('move with nothing lost, repeated or out of order, though the mirror is killed in between; it ends by itself, exit 7, and a last barrier is the proof; one that is let go too early is named, exit 7', async () => {
    const killed = mirror()
    await until('the first copy', async () => (await world.total(world.next, ['orders'])) > 0n)
    const [reader] = crowd.readers
    await reader?.stop()
    await until('the offsets', async () => {
      const { code, stdout } = await kmig(
        'offsets',
        'sync',
        '--name',
        'roll',
        '--groups',
        'billing',
        '--json',
      )
      return code === 0 && !stdout.includes('"waiting"') && stdout.includes('"billing"')
    })
    readersAt = 'new'
    await reader?.start()
    const set = await kmig('discovery', 'set', '--discovery', files, '--execute')
    expect(set).toMatchObject({ code: 0 })
    expect(readFileSync(file, 'utf8')).toContain(world.bootstrap('new'))

    await client(0).stop()
    expect(await barrier('--topics', 'orders', '--partitions', '0')).toMatchObject({ code: 0 })
    await client(0).start()
    await more(0)
    await until('the end of that partition', () => /STOPPED orders-0: FOREIGN_WRITE/.test(killed.stderr))
    killed.process.kill('SIGKILL')
    await killed.ended
    await more(1)
    const going = mirror()
    await client(1).stop()
    expect(await barrier('--topics', 'orders', '--partitions', '1')).toMatchObject({ code: 0 })
    await client(1).start()
    await more(1)
    await until('the end of both', () =>
      [0, 1].every(each => going.stderr.includes(`STOPPED orders-${each}: FOREIGN_WRITE`)),
    )
    const last = await barrier('--topics', 'orders', '--json')
    expect(last).toMatchObject({ code: 0, stdout: expect.stringContaining('"reached":true') })
    expect(crowd.writers.slice(0, 2).map(({ at }) => at)).toEqual([
      world.bootstrap('new'),
      world.bootstrap('new'),
    ])

    // the third is let go while its old instance still writes
    await world.write(world.next, 'hasty', [{ value: Buffer.from('too early') }])
    expect((await going.ended).code).toBe(7)
    const early = await barrier('--topics', 'hasty', '--timeout', '1s')
    expect(early).toMatchObject({ code: 7, stderr: expect.stringMatching(/FOREIGN_WRITE.*hasty-0: /s) })

    await crowd.stopWriters()
    for (let quiet = 0, read = -1; quiet < 8; quiet = crowd.read === read ? quiet + 1 : 0) {
      read = crowd.read
      await sleep(250)
    }
    await crowd.stopReaders()
    const side = (name: 'old' | 'new') => ({
      ...{ name, version: '' },
      bootstrap: parseBootstrap(world.bootstrap(name)),
    })
    const logs = await judge({ old: side('old'), next: side('new') }, crowd, { topics: ['orders'], signal })
    expect(logs).toMatchObject({ faults: [], offsetsIdentical: true, skipped: 0, reread: 0 })
    expect(logs.totals).toMatchObject({ lost: 0, repeated: 0, outOfOrder: 0, phantom: 0, foreign: 0 })
    const verified = await kmig('verify', '--name', 'roll', '--topics', 'orders', '--groups', 'none')
    expect(verified.code).toBe(3)
    const told = verified.stdout + verified.stderr
    for (const partition of [0, 1]) expect(told).toMatch(new RegExp(`foreign orders-${partition}: offsets`))
    expect(told).not.toMatch(/^(changed|missing|moved|swapped|corrupt) /m)
  }, 300_000)
})
