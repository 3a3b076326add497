import { afterAll, beforeAll, expect, test } from 'vitest'
import type { FencePlan } from '../../src/cutover/fence-port.ts'
import { fenceDriver } from '../../src/cutover/fences/index.ts'
import { liveClock } from '../../src/cutover/live.ts'
import { proofOf } from '../../src/cutover/proof/index.ts'
import { alterTopicConfigs, describeTopicConfigs, kafkaJs } from '../../src/kafka/index.ts'
import { retry } from '../../src/kit/index.ts'
import { MirrorWorld } from '../mirror-world.ts'
import { servers } from '../sandbox-helper.ts'

servers('a fence by min.insync.replicas on Kafka 2.8.2', () => {
  let world: MirrorWorld
  const { signal } = new AbortController()
  beforeAll(async () => {
    world = await MirrorWorld.open({ old: { version: '2.8.2' } })
  })
  afterAll(async () => await world?.[Symbol.asyncDispose]())

  test('acks=all is refused while it stands, and every topic gets back what it had', async () => {
    await world.make('own', 1, { 'min.insync.replicas': '1' })
    await world.make('default')
    const topics = ['own', 'default']
    const driver = () =>
      fenceDriver('min-isr', { side: 'old', cluster: world.old, topics, accepted: [], signal })
    expect((await driver().probe()).map(({ severity }) => severity)).toEqual(['warning', 'warning'])
    const plan = await driver().plan()
    expect(plan.prior).toEqual({ values: { own: '1', default: null } })
    await driver().engage(plan)
    await driver().engage(plan)
    const producer = kafkaJs({ brokers: world.old.bootstrap }).producer({
      retry: { retries: 1, initialRetryTime: 50 },
    })
    await producer.connect()
    const send = (topic: string, acks = -1) => producer.send({ topic, acks, messages: [{ value: 'v' }] })
    await retry(
      async () => {
        for (const topic of topics)
          await expect(send(topic)).rejects.toThrow(/fewer in-sync replicas than required/)
      },
      { withinMs: 10_000, retriable: () => true },
    )
    // a process that died and planned anew does not take the fence for a prior value
    expect((await driver().plan()).prior).toEqual({ values: { own: null, default: null } })
    const proof = proofOf({
      ...{ cluster: world.old, clock: liveClock(signal), settleMs: 5_000, signal },
      wheres: () => topics.map(topic => ({ topic, partition: 0 })),
    })
    const proved = await proof.prove({ windowMs: 1_000, driver: 'min-isr', engaged: { evidence: [] } })
    expect(proved.proof.transactions).toEqual({
      asked: false,
      why: expect.stringContaining('does not know ListTransactions'),
    })
    expect(proved.proof.producers).toMatchObject({ asked: true })
    await send('own', 1) // it leaks, and the proof would find it
    const journaled = JSON.parse(JSON.stringify(plan)) as FencePlan
    await driver().release(journaled)
    await driver().release(journaled)
    await retry(() => send('own'), { withinMs: 10_000, retriable: () => true })
    await retry(() => send('default'), { withinMs: 10_000, retriable: () => true })
    await producer.disconnect()
    const found = await describeTopicConfigs(world.old, topics)
    const set = topics.map(topic => found.get(topic)?.find(({ name }) => name === 'min.insync.replicas'))
    expect(set).toMatchObject([
      { value: '1', source: 'dynamic-topic' },
      { value: '1', source: expect.not.stringMatching(/dynamic-topic/) },
    ])
    await alterTopicConfigs(world.old, 'own', { delete: ['min.insync.replicas'] })
  })
})
