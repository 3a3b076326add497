import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { rehearsalsIn } from '../../src/cutover/index.ts'
import { Cluster, commitOffsets, createTopics, kafkaJs, LATEST } from '../../src/kafka/index.ts'
import { parseBootstrap } from '../../src/kit/index.ts'
import { Sandbox, type SandboxCluster } from '../../src/sandbox/index.ts'
import { spawned } from '../cli/spawned.ts'
import { discoveryText, scratch } from '../discovery/cases.ts'
import { OLD, sandboxOptions, servers } from '../sandbox-helper.ts'
import { temporary } from '../temporary.ts'

const bin = new URL('../../bin/kmig.js', import.meta.url).pathname

servers('kmig rehearse', () => {
  let sandbox: Sandbox
  let real: SandboxCluster
  let cluster: Cluster
  const files = scratch()
  beforeAll(async () => {
    sandbox = await Sandbox.open(sandboxOptions())
    real = await sandbox.start(OLD)
    cluster = await Cluster.open({ bootstrap: parseBootstrap(real.bootstrap()) })
  })
  afterAll(async () => {
    await cluster?.[Symbol.asyncDispose]()
    await sandbox?.[Symbol.asyncDispose]()
    files[Symbol.dispose]()
  })
  const rehearse = async (root: string, ...args: string[]) => {
    const directory = temporary()
    const state = temporary()
    const from = args.includes('--from') ? [] : ['--from', real.bootstrap()]
    const ended = await spawned(
      bin,
      [
        'rehearse',
        ...from,
        '--to',
        '192.0.2.1:9092',
        '--discovery',
        root,
        '--json',
        '--state-dir',
        state,
        ...args,
      ],
      { env: { TMPDIR: directory } },
    )
    return { ...ended, left: readdirSync(directory), state }
  }

  test('what can not be rehearsed is refused before a server starts', async () => {
    using good = scratch({ 'a.yaml': discoveryText({ devc: [real.bootstrap()] }) })
    using other = scratch({ 'a.yaml': discoveryText({ devc: ['192.0.2.7:9092'] }) })
    using broken = scratch({ 'a.yaml': 'clusters:\n\ta: 1\n' })
    const rows: [string, string[], number, string][] = [
      [good.root, ['--topics', 'none-such'], 4, 'PREFLIGHT'],
      [good.root, ['--shadow', '--crashes'], 2, 'USAGE'],
      [good.root, ['--sample', '-1'], 2, 'USAGE'],
      [join(good.root, 'gone'), [], 2, 'DISCOVERY_EMPTY'],
      [other.root, [], 4, 'DISCOVERY_NO_MATCH'],
      [broken.root, [], 4, 'DISCOVERY_INVALID'],
      [good.root, ['--from', '127.203.0.98:1'], 10, 'UNREACHABLE'],
    ]
    const ended = await Promise.all(rows.map(([root, args]) => rehearse(root, ...args)))
    for (const [i, [, , code, error]] of rows.entries()) {
      const { stdout, ...rest } = ended[i] ?? { stdout: '{}' }
      expect({ ...rest, error: JSON.parse(stdout).error.code }).toMatchObject({ code, error, left: [] })
    }
  }, 180_000)

  test('topics, records and groups of the real cluster go through a cutover, back and again; nothing is lost, and nothing real changes', async () => {
    await createTopics(cluster, [
      { name: 'orders', partitions: 3, replicationFactor: 1, configs: { 'retention.ms': '7200000' } },
      { name: 'state', partitions: 2, replicationFactor: 1, configs: { 'cleanup.policy': 'compact' } },
      {
        name: 'small',
        partitions: 1,
        replicationFactor: 1,
        configs: { 'max.message.bytes': '4000', 'retention.ms': '-1' },
      },
      { name: 'idle', partitions: 1, replicationFactor: 1 },
    ])
    const producer = kafkaJs({ brokers: cluster.bootstrap }).producer()
    await producer.connect()
    const old = String(Date.now() - 40 * 86_400_000)
    for (const topic of ['orders', 'state', 'small'])
      for (let n = 0; n < 6; n++) {
        const messages = Array.from({ length: 20 }, (_, i) => ({
          key: `${topic}-${i}`,
          value: `${n}-${i}`.padEnd(100),
          partition: 0,
          timestamp: topic === 'orders' ? String(Date.now()) : old,
        }))
        await producer.send({ topic, messages })
      }
    await producer.disconnect()
    await commitOffsets(cluster, 'billing', [{ topic: 'orders', partition: 0, offset: 100n, metadata: '' }])
    const ends = async () =>
      await cluster.listOffsets(
        ['orders', 'state', 'small', 'idle'].map(topic => ({ topic, partition: 0, timestamp: LATEST })),
      )
    const before = await ends()
    const text = discoveryText({ devc: [real.bootstrap()] }, real.zookeeper)
    using srv = scratch({ 'kafka_discovery/standard.yaml': text, 'app.conf': `x=${real.bootstrap()}\n` })

    const args = ['--sample', '50', '--still-for', '7s', '--contents', '--no-crashes']
    const { code, stdout, stderr, left, state } = await rehearse(srv.root, ...args)
    expect({ code, stderr }).toMatchObject({ code: 0 })
    const report = JSON.parse(stdout)
    expect(report).toMatchObject({
      command: 'rehearse',
      ok: true,
      clone: { topics: 4, partitions: 7, records: 150, groups: 1, short: [], refused: [] },
      files: {
        edits: 1,
        untouched: true,
        restored: true,
        blockers: [expect.stringContaining('app.conf:1:3 names')],
      },
      rounds: [
        { changed: ['kafka_discovery/standard.yaml'], clientsMoved: true },
        { changed: ['kafka_discovery/standard.yaml'], clientsMoved: true },
      ],
      rollback: { clientsBack: true },
      predicted: { windowMs: 7_000 },
      logs: {
        totals: { lost: 0, repeated: 0, outOfOrder: 0, phantom: 0, corrupt: 0, foreign: 0 },
        offsetsIdentical: true,
        skipped: 0,
        reread: 0,
        faults: [],
      },
    })
    expect(report.predicted.pauseMs).toBe(7_000 + report.predicted.restMs)
    expect(report.rollback.written).toBeGreaterThan(0)
    expect(report.rounds[1].timings.length).toBeGreaterThan(5)
    expect(report.ms).toBeLessThan(240_000)
    expect(await ends()).toEqual(before)
    expect(readFileSync(join(srv.root, 'kafka_discovery/standard.yaml'), 'utf8')).toBe(text)
    expect(left).toEqual([])
    expect(report.certificate).toMatchObject({ verdict: 'proved', unexplained: [] })
    expect(JSON.parse(readFileSync(report.certificate.path, 'utf8'))).toMatchObject({
      kmig: 'cutover-certificate',
      runId: report.rounds[1].run,
    })
    expect(rehearsalsIn(state)).toEqual([
      {
        ...{ id: report.id, at: report.at, how: 'clone', ok: true, path: report.report },
        from: { name: report.from.name, clusterId: cluster.clusterId },
        topics: ['idle', 'orders', 'small', 'state'],
      },
    ])
  }, 280_000)
})
