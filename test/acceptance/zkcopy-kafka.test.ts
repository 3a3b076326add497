import { readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { kafkaJs } from '../../src/kafka/index.ts'
import { parseBootstrap } from '../../src/kit/index.ts'
import { readBack } from '../../src/load/index.ts'
import { Sandbox, type SandboxCluster } from '../../src/sandbox/index.ts'
import { spawned } from '../cli/spawned.ts'
import { sandboxOptions, servers } from '../sandbox-helper.ts'
import { Witness } from '../zkcopy/witness.ts'

const COMMAND = new URL('../zkcopy/command.ts', import.meta.url).pathname
const TOPICS = ['orders', 'clicks']

servers('zkcopy --preset kafka', () => {
  let sandbox: Sandbox
  let kafka: SandboxCluster
  let [source, target] = ['', '']
  let old: Witness
  let next: Witness
  const signal = new AbortController().signal
  const run = async (args: string[] = ['--preset', 'kafka'], to = `${target}/copied`) => {
    const { code, stdout, stderr } = await spawned(COMMAND, ['--from', source, '--to', to, '--json', ...args])
    return { code, stderr, report: JSON.parse(stdout) }
  }
  const refused = (code: string, message: RegExp, exit = 4) => ({
    code: exit,
    report: { ok: false, error: { code, message: expect.stringMatching(message) } },
  })
  const broker = () => kafka.node(1)
  const records = async () => {
    const logs = await readBack({ bootstrap: parseBootstrap(kafka.bootstrap()), topics: TOPICS, signal })
    const lines = logs.flatMap(({ topic, partition, records: all }) =>
      all.map(({ offset, key, value }) => `${topic}/${partition} ${offset} ${key} ${value}`),
    )
    return lines.sort()
  }
  const send = async (topic: string, from: number, count: number) => {
    const producer = kafkaJs({ brokers: [kafka.bootstrap()] }).producer({
      idempotent: true,
      maxInFlightRequests: 1,
    })
    await producer.connect()
    const messages = Array.from({ length: count }, (_, i) => ({
      key: `k${i}`,
      value: `${topic} ${from + i}`,
    }))
    await producer.send({ topic, messages })
    await producer.disconnect()
  }
  const made = async (path: string) => (await next.exists(path))?.czxid.readBigInt64BE() ?? 0n
  const versionsOf = async (witness: Witness, root: string) =>
    [...(await witness.tree(root))]
      .filter(([path]) => /\/state$|\/seqid$|^\/controller_epoch$/.test(path))
      .map(([path, { version }]) => `${path} ${version}`)

  beforeAll(async () => {
    sandbox = await Sandbox.open(sandboxOptions())
    const [first, second] = await Promise.all([
      sandbox.start({ kind: 'kafka-zk', version: '3.9.2', brokers: 1 }),
      sandbox.start({ kind: 'zookeeper', version: '3.9.2', brokers: 0 }),
    ])
    kafka = first
    source = first.zookeeper ?? ''
    target = second.zookeeper ?? ''
    old = await Witness.open(source.replace(/\/.*/, ''))
    next = await Witness.open(target)
    const admin = kafkaJs({ brokers: [kafka.bootstrap()] }).admin()
    await admin.connect()
    const configEntries = [{ name: 'retention.ms', value: '123456789' }]
    await admin.createTopics({
      topics: TOPICS.map(topic => ({ topic, numPartitions: 3, replicationFactor: 1, configEntries })),
    })
    await admin.disconnect()
    for (const topic of TOPICS) await send(topic, 0, 200)
  })
  afterAll(async () => {
    await old?.[Symbol.asyncDispose]()
    await next?.[Symbol.asyncDispose]()
    await sandbox?.[Symbol.asyncDispose]()
  })

  test('running brokers are refused on the source, --live copies the bulk ahead and says what must follow', async () => {
    expect(await run()).toMatchObject(refused('ZK_LIVE_KAFKA', /runs on the source.*\/brokers\/ids.*: 1$/))
    expect(await next.exists('/copied')).toBeNull()
    const bulk = await run(['--preset', 'kafka', '--live'])
    expect(bulk).toMatchObject({ code: 0, report: { ok: true, kafka: { postflight: null } } })
    expect(await next.exists('/copied/brokers/ids/1')).toBeNull()
    expect(await next.exists('/copied/controller')).toBeNull()
    const positions = await Promise.all(['/copied/cluster/id', '/copied/brokers', '/copied/admin'].map(made))
    expect(positions).toEqual([...positions].sort((a, b) => Number(a - b)))
  })

  test('a copy onto a target where brokers are registered is refused, with the preset and without', async () => {
    const here = `${source.replace(/\/.*/, '')}/kafka`
    const args = ['--from', `${target}/copied`, '--to', here, '--json']
    for (const more of [[], ['--preset', 'kafka']]) {
      const { code, stdout } = await spawned(COMMAND, [...args, ...more])
      expect({ code, report: JSON.parse(stdout) }).toMatchObject(
        refused('ZK_LIVE_KAFKA', /runs on the target.*\/kafka\/brokers\/ids/),
      )
    }
  })

  test('a broker that starts on the copy serves the topics, byte for byte, and takes new records', async () => {
    for (const topic of TOPICS) await send(topic, 200, 50)
    const before = await records()
    expect(before).toHaveLength(500)
    await broker().stop('clean')
    const notices = (await old.exists('/kafka/config/changes')) as unknown as { cversion: number }
    const { code, report } = await run()
    expect(report.kafka.postflight.filter(({ ok }: { ok: boolean }) => !ok)).toEqual([])
    expect({ code, report }).toMatchObject({ code: 0, report: { repaired: 0, kafka: { warnings: [] } } })
    expect(report.kafka.postflight).toContainEqual({ check: 'topics', source: '3', target: '3', ok: true })
    expect(await versionsOf(next, '/copied')).toEqual(await versionsOf(old, '/kafka'))
    const copied = (await next.exists('/copied/config/changes')) as unknown as {
      cversion: number
      numChildren: number
    }
    expect(copied.numChildren).toBe(0)
    expect(copied.cversion).toBeGreaterThanOrEqual(notices.cversion)
    expect(await run(['--preset', 'kafka', '--check'])).toMatchObject({
      code: 0,
      report: { differing: { count: 0 } },
    })

    const file = join(dirname(broker().data), 'server.properties')
    const properties = readFileSync(file, 'utf8')
    writeFileSync(file, properties.replace(/^zookeeper\.connect=.*$/m, `zookeeper.connect=${target}/copied`))
    await broker().start()
    expect(await next.exists('/copied/brokers/ids/1')).not.toBeNull()
    expect(await records()).toEqual(before)
    await send('orders', 250, 10)
    const admin = kafkaJs({ brokers: [kafka.bootstrap()] }).admin()
    await admin.connect()
    await admin.createTopics({ topics: [{ topic: 'later', numPartitions: 1 }] })
    expect((await admin.listTopics()).sort()).toEqual(expect.arrayContaining(['clicks', 'later', 'orders']))
    await admin.disconnect()
    await broker().stop('clean')
  })

  test('what the copy lacks of what brokers need is named, with exit 3', async () => {
    const { code, report } = await run(undefined, `${target}/part`)
    expect(code).toBe(0)
    await next.remove('/part/brokers/topics/clicks/partitions/0/state')
    await next.remove('/part/brokers/topics/clicks/partitions/0')
    expect(report.ok).toBe(true)
    const again = await run(['--preset', 'kafka', '--since', String(Date.now() + 600_000)], `${target}/part`)
    expect(again).toMatchObject({ code: 3, report: { ok: false } })
    const bad = again.report.kafka.postflight.filter(({ ok }: { ok: boolean }) => !ok)
    expect(bad).toEqual([expect.objectContaining({ check: 'partitions' })])
  })

  test('pending work is told; another cluster on the target and a migration to KRaft are refused', async () => {
    await old.plant('/kafka/admin/delete_topics/clicks')
    expect(await run(undefined, `${target}/pending`)).toMatchObject({
      code: 0,
      report: { kafka: { warnings: [expect.stringContaining('about to be deleted: clicks')] } },
    })
    await old.remove('/kafka/admin/delete_topics/clicks')
    await next.plantAll(['/other', '/other/cluster'])
    await next.plant('/other/cluster/id', { data: Buffer.from('{"version":"1","id":"somebody-else"}') })
    expect(await run(undefined, `${target}/other`)).toMatchObject(refused('PREFLIGHT', /somebody-else/))
    await old.plant('/kafka/controller', {
      data: Buffer.from('{"version":2,"brokerid":3000,"kraftControllerEpoch":7}'),
    })
    expect(await run(undefined, `${target}/kraft`)).toMatchObject(
      refused('PREFLIGHT', /migration to KRaft.*persistent/),
    )
    await old.remove('/kafka/controller')
    await old.plant('/kafka/migration')
    expect(await run(undefined, `${target}/kraft`)).toMatchObject(
      refused('PREFLIGHT', /migration to KRaft.*\/migration/),
    )
    await old.remove('/kafka/migration')
    expect(await next.exists('/kraft')).toBeNull()
    const nothing = await spawned(COMMAND, [
      '--from',
      target,
      '--to',
      `${source}x`,
      '--preset',
      'kafka',
      '--json',
    ])
    expect(JSON.parse(nothing.stdout)).toMatchObject({ error: { code: 'PREFLIGHT' } })
  })
})
