import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Secret } from '../../src/config/index.ts'
import type { FencePlan } from '../../src/cutover/fence-port.ts'
import { type FenceOptions, fenceDriver } from '../../src/cutover/fences/index.ts'
import { liveClock } from '../../src/cutover/live.ts'
import { proofOf } from '../../src/cutover/proof/index.ts'
import { type Acl, Cluster, createAcls, deleteAcls, kafkaJs, listAcls } from '../../src/kafka/index.ts'
import { parseBootstrap, retry, sleep } from '../../src/kit/index.ts'
import { MirrorWorld } from '../mirror-world.ts'
import { servers } from '../sandbox-helper.ts'

servers('fences on real clusters', () => {
  let world: MirrorWorld
  const { signal } = new AbortController()
  const resources: AsyncDisposableStack = new AsyncDisposableStack()

  beforeAll(async () => {
    const config = {
      'authorizer.class.name': 'kafka.security.authorizer.AclAuthorizer',
      'super.users': 'User:ANONYMOUS;User:admin', // who comes by the plaintext listener
    }
    world = await MirrorWorld.open({ old: { listeners: ['sasl'], config } })
    for (const [resource, name] of [
      ['topic', '*'],
      ['group', '*'],
      ['transactional-id', '*'],
      ['cluster', 'kafka-cluster'],
    ] as const)
      await allow({ resource, name, operation: 'all' })
  })
  afterAll(async () => {
    await resources.disposeAsync()
    await world?.[Symbol.asyncDispose]()
  })

  const acl = (more: Partial<Acl>): Acl => ({
    ...{ resource: 'topic', pattern: 'literal', name: '*', principal: 'User:kmig', host: '*' },
    ...{ operation: 'all', permission: 'allow' },
    ...more,
  })
  const allow = async (more: Partial<Acl>) => {
    await createAcls(world.old, [acl(more)], {
      refused: (_, error) => {
        throw error
      },
    })
    const there = async () => expect(await listAcls(world.old)).toEqual(expect.arrayContaining([acl(more)]))
    await retry(there, { withinMs: 20_000, retriable: () => true })
  }
  /** An application: user kmig, who is no super user. */
  const application = () => {
    const { old } = world.clusters
    return {
      brokers: parseBootstrap(old.bootstrap('sasl')),
      security: {
        protocol: 'SASL_PLAINTEXT' as const,
        sasl: {
          mechanism: 'PLAIN' as const,
          user: 'kmig',
          password: new Secret(old.credentials.users.kmig),
        },
      },
    }
  }
  const writerOf = async (more: { transactionalId?: string; idempotent?: boolean } = {}) => {
    const producer = kafkaJs(application()).producer({
      ...{ maxInFlightRequests: 1, idempotent: true, retry: { retries: 2, initialRetryTime: 50 } },
      ...more,
    })
    await producer.connect()
    resources.defer(() => producer.disconnect())
    return producer
  }
  const proofs = (topics: readonly string[], settleMs = 300) =>
    proofOf({
      cluster: world.old,
      wheres: () => topics.map(topic => ({ topic, partition: 0 })),
      clock: liveClock(signal),
      settleMs,
      signal,
    })
  const prove = (topics: readonly string[], windowMs = 1_000) =>
    proofs(topics).prove({ windowMs, driver: 'manual', engaged: { evidence: [] } })
  /** Does it again and again while the work goes on. */
  const during = async <T>(again: () => Promise<unknown>, work: () => Promise<T>): Promise<T> => {
    let over = false
    const busy = (async () => {
      while (!over) {
        await again()
        await sleep(20)
      }
    })()
    try {
      return await work()
    } finally {
      over = true
      await busy
    }
  }
  const messages = [{ key: 'k', value: 'v' }]

  describe('the proof', () => {
    test('holds once writers are gone, and says what it asked', async () => {
      await world.make('quiet')
      await (await writerOf()).send({ topic: 'quiet', messages })
      const { ends, proof } = await prove(['quiet'])
      expect(ends).toEqual(new Map([['quiet-0', 1n]]))
      expect(proof).toMatchObject({
        producers: { asked: true, known: 1, moved: 0 },
        transactions: { asked: true, open: 0 },
        ends: { hwIsLeo: true },
      })
    })
    test('finds a live idempotent writer, by its id and sequence', async () => {
      await world.make('busy')
      const writer = await writerOf()
      const send = () => writer.send({ topic: 'busy', messages })
      await send()
      await expect(during(send, () => prove(['quiet', 'busy'], 60_000))).rejects.toMatchObject({
        code: 'STILL_WRITTEN',
        message: expect.stringMatching(
          /\d\/s: busy-0: \d+ -> \d+ \(\+\d+\): \d+ records? of producer \d+ epoch 0, sequence \d+/,
        ),
      })
    })
    test('finds a writer without an id that ignores the fence', async () => {
      await world.make('rude')
      const write = () => world.write(world.old, 'rude', [{ key: null, value: Buffer.from('v') }])
      await expect(during(write, () => prove(['quiet', 'rude'], 60_000))).rejects.toMatchObject({
        code: 'STILL_WRITTEN',
        message: expect.stringMatching(/rude-0: .* of producers without an id/),
      })
    })
    test('waits for an open transaction, and names it when it stays', async () => {
      await world.make('paid')
      const writer = await writerOf({ transactionalId: 'payments' })
      const first = await writer.transaction()
      await first.send({ topic: 'paid', messages })
      await expect(prove(['paid'])).rejects.toMatchObject({
        code: 'PREFLIGHT',
        message: expect.stringMatching(
          /transaction of 'payments' \(producer \d+\) is Ongoing .*on paid-0, .*paid-0: a transaction is open from offset 0/,
        ),
      })
      const [{ ends }] = await Promise.all([
        proofs(['paid'], 20_000).prove({ windowMs: 1_000, driver: 'manual', engaged: { evidence: [] } }),
        sleep(1_500).then(() => first.commit()),
      ])
      expect(ends).toEqual(new Map([['paid-0', 2n]])) // the record, and its marker
    })
    test('finds a transaction that has written no record yet', async () => {
      const writer = await writerOf({ transactionalId: 'enlisted' })
      const open = await writer.transaction()
      const offsets = [{ topic: 'quiet', partitions: [{ partition: 0, offset: '0' }] }]
      await open.sendOffsets({ consumerGroupId: 'none', topics: offsets })
      await expect(prove(['quiet'])).rejects.toMatchObject({
        code: 'PREFLIGHT',
        message: expect.stringMatching(/'enlisted' .* is Ongoing .* on __consumer_offsets-\d/),
      })
      await open.abort()
      await prove(['quiet'])
    })
  })

  describe('acl-deny', () => {
    const options = (more: Partial<FenceOptions> = {}): FenceOptions => ({
      ...{ side: 'old', cluster: world.old, topics: ['denied'], accepted: ['producer-errors'], signal },
      ...more,
    })
    const driver = (more: Partial<FenceOptions> = {}) => fenceDriver('acl-deny', options(more))
    const denials = async () => ((await listAcls(world.old)) ?? []).filter(each => each.permission === 'deny')

    test('keeps everybody off but super users, lets open transactions end, and takes back exactly what it made', async () => {
      await world.make('denied')
      const mine = acl({ name: 'denied', principal: 'User:other', operation: 'write', permission: 'deny' })
      await allow(mine)
      const [writer, paying] = [await writerOf(), await writerOf({ transactionalId: 'open' })]
      await writer.send({ topic: 'denied', messages })
      const open = await paying.transaction()
      await open.send({ topic: 'denied', messages })
      expect(await driver().probe()).toEqual([])
      const plan = await driver().plan()
      expect(plan.actions).toEqual([
        {
          effect: 'DENY User:* Write on topic denied',
          inverse: expect.stringContaining('delete that ACL'),
        },
      ])
      await driver().engage(plan)
      await driver().engage(plan)
      const refused = writer.send({ topic: 'denied', messages })
      await expect(refused).rejects.toThrow(/[Nn]ot authorized to access topics/)
      await world.write(world.old, 'denied', [{ key: null, value: Buffer.from('of a super user') }])
      await open.commit()
      const { ends } = await prove(['denied'])
      expect(ends.get('denied-0')).toBe(4n)
      // another process, which knows nothing but the journaled plan
      const journaled = JSON.parse(JSON.stringify(plan)) as FencePlan
      await driver().release(journaled)
      await driver().release(journaled)
      expect(await denials()).toEqual([mine])
      await retry(() => writer.send({ topic: 'denied', messages }), {
        withinMs: 10_000,
        retriable: () => true,
      })
      await deleteAcls(world.old, [mine])
    })
    test('takes itself back where it would keep the copy back off too', async () => {
      const { brokers: bootstrap, security } = application()
      await using cluster = await Cluster.open({ bootstrap, security })
      const mine = driver({ cluster })
      await expect(mine.engage(await mine.plan())).rejects.toMatchObject({
        code: 'FENCE',
        message: expect.stringContaining("kmig's own user may not write to denied"),
        suggestions: [expect.stringContaining('super.users'), expect.any(String)],
      })
      expect(await denials()).toEqual([])
      const named = driver({ cluster, principals: ['User:app'] })
      const plan = await named.plan()
      await named.engage(plan)
      await named.release(plan)
      expect(await denials()).toEqual([])
    })
    test('is refused without consent to its errors, and where there is no authorizer', async () => {
      expect(await driver({ accepted: [] }).probe()).toMatchObject([
        { severity: 'error', what: expect.stringContaining('do not try again') },
      ])
      expect(await driver({ accepted: [], as: 'seal' }).probe()).toEqual([])
      expect(await driver({ cluster: world.next, side: 'new' }).probe()).toMatchObject([
        {
          severity: 'error',
          what: expect.stringContaining('no authorizer'),
          fix: expect.stringContaining('hook'),
        },
      ])
    })
  })

  for (const end of ['old', 'new'] as const) {
    test(`min-isr is refused on ${end === 'old' ? '3.9.2' : '4.3.1'}, which caps it at the replica count`, async () => {
      const cluster = end === 'old' ? world.old : world.next
      const driver = fenceDriver('min-isr', { side: end, cluster, topics: [], accepted: [], signal })
      expect(await driver.probe()).toMatchObject([
        { severity: 'error', what: expect.stringContaining('brokers from 3.7 on') },
      ])
      await expect(driver.engage(await driver.plan())).rejects.toMatchObject({ code: 'FENCE' })
    })
  }
})
