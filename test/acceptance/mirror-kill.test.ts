import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { Cluster, type Codec, createTopics, encodeBatch, Produce } from '../../src/kafka/index.ts'
import { parseBootstrap, sleep } from '../../src/kit/index.ts'
import { readBack, unequal } from '../../src/load/index.ts'
import { pair, servers } from '../sandbox-helper.ts'

const KILLS = 10
const TOPICS = ['killed-plain', 'killed-small', 'killed-late']
const PARTITIONS = 3
const HOURS_48 = 48n * 3_600_000n

servers('kmig mirror under SIGKILL', () => {
  test('killed ten times in one copy and started again, it leaves both sides equal record by record, at equal offsets', async () => {
    await using clusters = await pair({ old: { listeners: ['link'] } })
    const signal = AbortSignal.timeout(300_000)
    const stateDir = mkdtempSync(join(tmpdir(), 'kmig-kill-'))
    onTestFinished(() => rmSync(stateDir, { recursive: true, force: true }))
    await using old = await Cluster.open({ bootstrap: parseBootstrap(clusters.old.bootstrap()), signal })
    await using next = await Cluster.open({ bootstrap: parseBootstrap(clusters.new.bootstrap()), signal })
    const ends = await fill(old)
    const total = [...ends.values()].reduce((sum, end) => sum + end, 0n)
    const link = clusters.old.link(1)
    await link.shape({ bytesPerSecond: 3 << 20 })

    const start = (...more: string[]): ChildProcess => {
      const names = TOPICS.flatMap(topic => ['--topics', topic])
      const args = ['mirror', '--from', clusters.old.bootstrap('link'), '--to', clusters.new.bootstrap()]
      const child = spawn(
        process.execPath,
        [
          'bin/kmig.js',
          ...args,
          ...names,
          '--name',
          'killed',
          '--state-dir',
          stateDir,
          '--until-caught-up',
          ...more,
        ],
        { stdio: ['ignore', 'ignore', 'inherit'] },
      )
      onTestFinished(() => void child.kill('SIGKILL'))
      return child
    }
    const copied = async (): Promise<bigint> => {
      const found = await next.metadata(TOPICS, { signal })
      const asks = found
        .filter(({ error }) => error === 0)
        .flatMap(({ name, partitions }) =>
          partitions.map(({ partition }) => ({ topic: name, partition, timestamp: -1n })),
        )
      return [...(await next.listOffsets(asks, { signal })).values()].reduce(
        (sum, { offset }) => sum + offset,
        0n,
      )
    }

    for (let kill = 0; kill < KILLS; kill++) {
      const child = start()
      const before = await copied()
      while ((await copied()) === before) {
        expect(child.exitCode, 'the copy ended before its kill').toBeNull()
        await sleep(20)
      }
      await sleep(Math.random() * 300)
      child.kill('SIGKILL')
      const [, how] = await once(child, 'exit')
      expect(how).toBe('SIGKILL')
      expect(await copied()).toBeLessThan(total)
    }

    await link.shape({ bytesPerSecond: Number.POSITIVE_INFINITY })
    const last = start('--json')
    const [code] = await once(last, 'exit')
    expect(code).toBe(0)
    expect(await copied()).toBe(total)
    const [theirs, ours] = await Promise.all(
      [old, next].map(
        async ({ bootstrap }) =>
          new Map(
            (await readBack({ bootstrap, topics: TOPICS, signal })).map(log => [
              `${log.topic}-${log.partition}`,
              log,
            ]),
          ),
      ),
    )
    for (const [where, log] of theirs ?? []) {
      const copy = ours?.get(where)
      expect(copy && { where, start: copy.start, end: copy.end, count: copy.records.length }).toEqual({
        where,
        start: log.start,
        end: log.end,
        count: log.records.length,
      })
      expect(copy && unequal(log, copy)).toEqual([])
    }
  })
})

/** Large batches, one-record batches, and a log that begins late; records of now and of 48 hours ago. Ends by partition. */
const fill = async (cluster: Cluster): Promise<Map<string, bigint>> => {
  await createTopics(
    cluster,
    TOPICS.map(name => ({ name, partitions: PARTITIONS, replicationFactor: 1 })),
  )
  const ends = new Map<string, bigint>()
  const send = async (
    topic: string,
    partition: number,
    count: number,
    { size = 1000, codec = 0 as Codec } = {},
  ) => {
    const where = `${topic}-${partition}`
    const from = ends.get(where) ?? 0n
    const timestamp = BigInt(Date.now()) - (partition === 1 ? HOURS_48 : 0n)
    const records = Array.from({ length: count }, (_, i) => ({
      timestamp: timestamp + BigInt(i),
      key: Buffer.from(`${from + BigInt(i)}`),
      value: Buffer.alloc(size, `${where} ${from + BigInt(i)} `),
    }))
    const connection = await cluster.connection(cluster.leaderOf(topic, partition)?.nodeId ?? 0, 'fill')
    const topics = [{ topic, partitions: [{ partition, records: encodeBatch(records, { codec }) }] }]
    const answer = await connection.send(
      Produce,
      { acks: -1, timeoutMs: 10_000, topics },
      { timeoutMs: 20_000 },
    )
    expect(answer.topics[0]?.partitions[0]?.errorCode).toBe(0)
    ends.set(where, from + BigInt(count))
  }
  for (let partition = 0; partition < PARTITIONS; partition++) {
    for (let i = 0; i < 160; i++) await send('killed-plain', partition, 60)
    for (let i = 0; i < 1_500; i++) await send('killed-small', partition, 1, { size: 700 })
    await send('killed-late', partition, 5_000, { size: 0, codec: 4 })
    for (let i = 0; i < 50; i++) await send('killed-late', partition, 60, { codec: partition === 2 ? 4 : 0 })
    await cluster.deleteRecords([{ topic: 'killed-late', partition, offset: 5_017n }])
  }
  return ends
}
