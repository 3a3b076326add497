import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Cluster, createTopics, kafkaJs } from '../../src/kafka/index.ts'
import { parseBootstrap } from '../../src/kit/index.ts'
import { Sandbox, type SandboxCluster } from '../../src/sandbox/index.ts'
import { spawned } from '../cli/spawned.ts'
import { discoveryText, scratch } from '../discovery/cases.ts'
import { OLD, sandboxOptions, servers } from '../sandbox-helper.ts'
import { temporary } from '../temporary.ts'

const bin = new URL('../../bin/kmig.js', import.meta.url).pathname

type Killed = { step: string; name: string; state: string; backMs: number }

servers('kmig rehearse', () => {
  let sandbox: Sandbox
  let real: SandboxCluster
  beforeAll(async () => {
    sandbox = await Sandbox.open(sandboxOptions())
    real = await sandbox.start(OLD)
    await using cluster = await Cluster.open({ bootstrap: parseBootstrap(real.bootstrap()) })
    await createTopics(cluster, [{ name: 'orders', partitions: 3, replicationFactor: 1 }])
    const producer = kafkaJs({ brokers: cluster.bootstrap }).producer()
    await producer.connect()
    await producer.send({ topic: 'orders', messages: [{ value: 'a', partition: 0 }] })
    await producer.disconnect()
  })
  afterAll(async () => await sandbox?.[Symbol.asyncDispose]())

  test('a cutover and its way back are killed behind every line of their journal, and end the same; nothing is lost', async () => {
    const [directory, state] = [temporary(), temporary()]
    using srv = scratch({ 'kafka_discovery/standard.yaml': discoveryText({ devc: [real.bootstrap()] }) })
    const ended = await spawned(
      bin,
      [
        ...['rehearse', '--from', real.bootstrap(), '--to', '192.0.2.1:9092', '--discovery', srv.root],
        ...['--state-dir', state, '--json', '--crashes', '--progress', 'plain'],
      ],
      { env: { TMPDIR: directory } },
    )
    expect(ended).toMatchObject({ code: 0 })
    const { crashes, logs } = JSON.parse(ended.stdout)
    const names = (killed: Killed[], step: string) =>
      killed.filter(each => each.step === step).map(({ name }) => name)
    const states = ['planned', 'mirroring', 'caught-up', 'armed', 'fencing', 'fenced', 'still', 'drained']
    const late = ['offsets-set', 'checked', 'sealing', 'switching', 'files-written', 'opening', 'switched']
    expect(names(crashes.cutover, 'state')).toEqual([...states, ...late])
    expect(names(crashes.cutover, 'hook')).toEqual(['fence', 'reload-clients'])
    expect(names(crashes.rollback, 'state')).toEqual([
      'back-fencing',
      'back-still',
      'back-offsets',
      'back-switching',
      'rolled-back',
    ])
    expect(names(crashes.rollback, 'hook')).toEqual(['fence', 'unfence', 'rollback'])
    expect(crashes).toMatchObject({ complete: true, same: true, clientsMoved: true, clientsBack: true })
    expect(logs).toMatchObject({ offsetsIdentical: true, skipped: 0, reread: 0, faults: [] })
    expect(readdirSync(directory)).toEqual([])
    expect(readFileSync(join(srv.root, 'kafka_discovery/standard.yaml'), 'utf8')).toContain(real.bootstrap())
  }, 600_000)
})
