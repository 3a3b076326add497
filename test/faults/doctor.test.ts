import { expect, test } from 'vitest'
import { blocking, CHECKS, doctor } from '../../src/cutover/doctor/index.ts'
import { preflight } from '../../src/cutover/doctor/preflight.ts'
import { fenceDriver } from '../../src/cutover/fences/index.ts'
import { createTopics, kafkaJs } from '../../src/kafka/index.ts'
import { retry } from '../../src/kit/index.ts'
import { Mirror } from '../../src/mirror/index.ts'
import { MirrorWorld } from '../mirror-world.ts'
import { servers } from '../sandbox-helper.ts'

servers('kmig doctor on a cluster that is ill', () => {
  test('a broker that hangs: what is offline, under-replicated, refused to writers, stuck in a reassignment or in a transaction is told', async () => {
    const config = { 'transaction.abort.timed.out.transaction.cleanup.interval.ms': '3600000' }
    await using world = await MirrorWorld.open({ old: { brokers: 3, config } })
    const kafka = kafkaJs({ brokers: world.old.bootstrap })
    const admin = kafka.admin()
    await admin.connect()
    const controller = (await admin.describeCluster()).controller ?? -1
    const [victim = -1, other = -1] = [...world.old.brokers.keys()].filter(id => id !== controller)
    const on = (topic: string, replicas: number[], minIsr: number) => ({
      topic,
      replicaAssignment: [{ partition: 0, replicas }],
      configEntries: [{ name: 'min.insync.replicas', value: `${minIsr}` }],
    })
    await admin.createTopics({
      topics: [
        on('alone', [victim], 1),
        on('strict', [other, victim], 2),
        on('moved', [other], 1),
        on('held', [other], 1),
        on('well', [controller, other], 1),
      ],
    })
    const producer = kafka.producer({
      ...{ transactionalId: 'hanging', transactionTimeout: 1_000, idempotent: true, maxInFlightRequests: 1 },
    })
    await producer.connect()
    const open = await producer.transaction()
    await open.send({ topic: 'held', messages: [{ value: 'v' }] })

    world.clusters.old.node(victim).pause()
    await admin.alterPartitionReassignments({
      topics: [{ topic: 'moved', partitionAssignment: [{ partition: 0, replicas: [victim] }] }],
    })
    const look = () =>
      doctor({
        from: { name: 'old', bootstrap: world.old.bootstrap },
        to: { name: 'new', bootstrap: world.next.bootstrap },
        ...{ stateDir: world.stateDir, accept: ['offline'], windowMs: 1_000, maxFenceMs: 45_000 },
        signal: new AbortController().signal,
      })
    const told = async () => {
      const report = await look()
      const found = Map.groupBy(report.findings, ({ id }) => id)
      const text = (id: Parameters<typeof found.get>[0]) =>
        (found.get(id) ?? []).map(({ severity, evidence }) => `${severity}: ${evidence}`).join('\n')
      expect(text('offline')).toMatch(/^error: partitions of 'old' have no leader: .*alone-0/)
      expect(text('urp')).toMatch(/^warning: under-replicated .*strict-0 \(1 of 2 in sync\)/)
      expect(text('under-min-isr')).toMatch(/^error: .*strict-0 \(1 in sync, 2 are asked for\)/)
      expect(text('reassignment-active')).toMatch(
        new RegExp(`^error: .*moved-0 \\(adding ${victim}, removing ${other}\\)`),
      )
      expect(text('open-transaction')).toMatch(
        /^error: transaction of 'hanging' \(producer \d+\) is Ongoing for .* on held-0, its timeout is 1/,
      )
      const blocks = new Set(blocking(report.findings).map(({ id }) => id))
      expect(blocks).toEqual(new Set(['under-min-isr', 'reassignment-active', 'open-transaction']))
      expect(report.findings.map(({ evidence }) => evidence).join()).not.toContain('well-0')
    }
    await retry(told, { withinMs: 120_000, retriable: () => true, backoff: { firstMs: 1_000, maxMs: 2_000 } })
    await world.clusters.old.node(victim).stop('kill')
    await admin.disconnect()
  })
  test('with all brokers but one frozen the checks end in the time that they have together, and what was not seen is told', async () => {
    await using world = await MirrorWorld.open({ old: { brokers: 3 } })
    await world.make('frozen', 3)
    const { signal } = new AbortController()
    const ends = {
      from: { name: 'old', bootstrap: world.old.bootstrap },
      to: { name: 'new', bootstrap: world.next.bootstrap },
    }
    await using mirror = await Mirror.open({ ...ends, stateDir: world.stateDir, signal })
    const controller = await kafkaJs({ brokers: world.old.bootstrap }).admin()
    await controller.connect()
    const awake = (await controller.describeCluster()).controller ?? -1
    await controller.disconnect()
    const frozen = [...world.old.brokers.keys()].filter(id => id !== awake)
    for (const id of frozen) world.clusters.old.node(id).pause()
    try {
      const started = performance.now()
      const checks = await preflight({
        ...{ mirror, names: { old: 'old', next: 'new' }, old: ends.from, next: ends.to, signal },
        ...{ stateDir: world.stateDir, windowMs: 1_000, maxFenceMs: 45_000 },
        driver: fenceDriver('min-isr', {
          ...{ side: 'old', cluster: mirror.source, topics: ['frozen'], accepted: [], signal },
        }),
      })
      const ms = performance.now() - started
      const unseen = checks.filter(each => each.kind === 'not-checked')
      expect(ms).toBeLessThan(120_000)
      expect(checks.map(({ id }) => id)).toEqual([...CHECKS])
      expect(unseen.map(({ why }) => why).join('\n')).toMatch(/answer/)
    } finally {
      for (const id of frozen) world.clusters.old.node(id).resume()
    }
  })
  test('a group that lives on the new cluster blocks, live ones of the old are told, others are named', async () => {
    await using world = await MirrorWorld.open()
    await world.make('sick')
    const look = () =>
      doctor({
        from: { name: 'old', bootstrap: world.old.bootstrap },
        to: { name: 'new', bootstrap: world.next.bootstrap },
        ...{ stateDir: world.stateDir, accept: [], windowMs: 1_000, maxFenceMs: 45_000 },
        signal: new AbortController().signal,
      })
    await createTopics(world.next, [{ name: 'early', partitions: 1, replicationFactor: 1 }])
    const members = [
      { topic: 'early', brokers: world.next.bootstrap },
      { topic: 'sick', brokers: world.old.bootstrap },
    ].map(async ({ topic, brokers }) => {
      const consumer = kafkaJs({ brokers }).consumer({ groupId: 'sick-readers' })
      await consumer.connect()
      await consumer.subscribe({ topics: [topic], fromBeginning: true })
      await consumer.run({ eachMessage: async () => {} })
      return consumer
    })
    const consumers = await Promise.all(members)
    const active = async () => {
      const found = (await look()).findings.filter(({ id }) => id === 'group-active')
      expect(found).toMatchObject([
        { severity: 'error', evidence: expect.stringContaining("run on 'new' already") },
        { severity: 'warning', evidence: expect.stringContaining('sick-readers (1)') },
      ])
    }
    await retry(active, { withinMs: 20_000, retriable: () => true })
    await Promise.all(consumers.map(each => each.disconnect()))
  })
})
