import { once } from 'node:events'
import { expect, test } from 'vitest'
import { ATTRIBUTE, sequenceOf } from '../../src/kafka/index.ts'
import { sleep } from '../../src/kit/index.ts'
import { exitOf } from '../../src/mirror/index.ts'
import {
  committedOf,
  compacted,
  headersOf,
  MirrorWorld,
  recordsOf,
  seeded,
  transactions,
} from '../mirror-world.ts'
import { servers } from '../sandbox-helper.ts'

const KILLS = 50

servers('kmig mirror over holes, killed often', () => {
  for (const offsets of ['auto', 'translated'] as const)
    test(`${KILLS} SIGKILLs at random moments, with writers running, leave every record once, in order (--offsets ${offsets})`, {
      timeout: 600_000,
    }, async () => {
      const random = seeded()
      await using world = await MirrorWorld.open()
      await world.make('txn', 2)
      await compacted(world, 'compacted')
      await world.fill('plain', { partitions: 2, batches: 200, records: 3, size: 200 })
      const topics = ['txn', 'compacted', 'plain']
      await transactions(world, 'txn', { partitions: 2, rounds: 40 })
      for (let kill = 1; kill <= KILLS; kill++) {
        const command = world.command('holes', topics, '--offsets', offsets)
        const writing = Promise.all([
          transactions(world, 'txn', { partitions: 2, rounds: 5, from: kill * 1_000 }),
          world.write(world.old, 'compacted', [
            { key: Buffer.from(`${kill % 5}`), value: Buffer.from(`${kill}`) },
          ]),
          world.more('plain', kill % 2, { batches: 3 }),
        ])
        const before = await world.total(world.next, topics)
        while ((await world.total(world.next, topics)) === before && command.process.exitCode === null)
          await sleep(10)
        await sleep(random() * 400)
        command.process.kill('SIGKILL')
        const [, how] = await once(command.process, 'exit')
        expect(how, command.stderr).toBe('SIGKILL')
        await writing
      }
      const report = await world.mirror('holes', topics, { offsets })
      expect(report.partitions.map(({ stopped }) => stopped)).toEqual(report.partitions.map(() => undefined))
      expect(exitOf(report)).toBe(0)
      for (const { topic, partition, mode } of report.partitions) {
        const theirs = await committedOf(world.old, topic, partition)
        const ours = await recordsOf(world.next, topic, partition)
        expect(mode).toBe(offsets === 'auto' ? 'identical' : 'translated')
        // the cleaner goes on while the mirror is killed: what it took since may be on the target still
        const kept = new Set(theirs.map(({ seen }) => seen))
        const compared = topic === 'compacted' ? ours.filter(({ seen }) => kept.has(seen)) : ours
        if (mode === 'identical') expect(compared).toEqual(theirs)
        else expect(compared.map(({ seen }) => seen)).toEqual(theirs.map(({ seen }) => seen))
        expect(new Set(ours.map(({ seen }) => seen)).size, 'nothing twice').toBe(ours.length)
        let ordinal = 0n
        for (const { attributes, baseSequence, count } of await headersOf(world.next, topic, partition)) {
          if (attributes & ATTRIBUTE.control) continue
          expect(baseSequence).toBe(sequenceOf(ordinal))
          ordinal += BigInt(count)
        }
      }
    })
})
