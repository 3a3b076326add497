import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { sleep } from '../../src/kit/index.ts'
import { type Command, HOURS_48, MirrorWorld, seeded } from '../mirror-world.ts'
import { servers } from '../sandbox-helper.ts'

const TOPIC = 'shared'
const PARTITIONS = [0, 1, 2, 3, 4, 5]
/** The session (10 s) until the group gives a silent member up, once more until its lease has ended for certain, then what may be on its way (30 s). */
const TAKEN_OVER_MS = 120_000
const FORGETFUL = { 'producer.id.expiration.ms': '1000', 'producer.id.expiration.check.interval.ms': '500' }

const start = (world: MirrorWorld): Command => {
  const stateDir = mkdtempSync(join(tmpdir(), 'kmig-host-'))
  onTestFinished(() => rmSync(stateDir, { recursive: true, force: true }))
  return world.command(TOPIC, [TOPIC], '--state-dir', stateDir)
}
const says = async (command: Command, what: RegExp): Promise<void> => {
  const signal = AbortSignal.timeout(TAKEN_OVER_MS)
  while (!what.test(command.stderr)) await sleep(50, signal)
}

servers('processes that share a mirror, under faults', () => {
  for (const [age, target] of [
    [0, {}],
    [0, { kind: 'kafka-zk', version: '2.8.2' }],
    // the target forgets the mirror's producer id at once: only leases and read-back are left as guards
    [HOURS_48, { config: FORGETFUL }],
  ] as const) {
    const on = 'version' in target ? `a target of ${target.version}` : 'a new target'
    test(`one is killed, one sleeps through its lease and wakes, one joins, on ${on}: equal, nothing repeated (records ${age / 3_600_000} h old)`, async () => {
      const random = seeded()
      await using world = await MirrorWorld.open({ new: target })
      await world.make(TOPIC, PARTITIONS.length)
      const write = (batches: number) =>
        Promise.all(
          PARTITIONS.map(partition =>
            world.more(TOPIC, partition, { batches, records: 3, size: 300, agedMs: age }),
          ),
        )
      await write(20)
      const [killed, sleeper, third] = [start(world), start(world), start(world)]
      await Promise.all([killed, sleeper, third].map(each => says(each, /copies \d+ partitions? of/)))
      let writing = true
      const writer = (async () => {
        while (writing) {
          await write(2)
          await sleep(100)
        }
      })()
      await sleep(1_000 + random() * 2_000)
      killed.process.kill('SIGKILL')
      await sleep(random() * 3_000)
      sleeper.process.kill('SIGSTOP')
      await says(third, /not given back/)
      const late = start(world)
      await says(late, /copies \d+ partitions? of/)
      sleeper.process.kill('SIGCONT')
      await says(sleeper, /waits to be an owner again/)
      await sleep(5_000)
      writing = false
      await writer
      const signal = AbortSignal.timeout(TAKEN_OVER_MS)
      while ((await world.total(world.next, [TOPIC])) < (await world.total(world.old, [TOPIC])))
        await sleep(200, signal)
      for (const each of [sleeper, third, late]) each.process.kill('SIGTERM')
      for (const each of [sleeper, third, late]) expect((await each.ended).code).toBe(143)
      await world.expectEqual([TOPIC])
    })
  }
})
