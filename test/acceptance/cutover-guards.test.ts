import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Secret } from '../../src/config/index.ts'
import { type BarrierOptions, barrier } from '../../src/cutover/barrier/index.ts'
import { clockSkew } from '../../src/cutover/doctor/clock.ts'
import { type Facts, gather } from '../../src/cutover/doctor/facts.ts'
import { groupChecks } from '../../src/cutover/doctor/groups.ts'
import {
  blocking,
  CHECKS,
  type DoctorOptions,
  type DoctorReport,
  doctor,
} from '../../src/cutover/doctor/index.ts'
import type { FencePlan } from '../../src/cutover/fence-port.ts'
import { type FenceOptions, fenceDriver } from '../../src/cutover/fences/index.ts'
import { liveClock } from '../../src/cutover/live.ts'
import { proofOf } from '../../src/cutover/proof/index.ts'
import {
  type Acl,
  Cluster,
  commitOffsets,
  createAcls,
  createTopics,
  deleteAcls,
  deleteTopics,
  kafkaJs,
  listAcls,
} from '../../src/kafka/index.ts'
import { parseBootstrap, retry, sleep } from '../../src/kit/index.ts'
import { Mirror, MirrorState, runMirror } from '../../src/mirror/index.ts'
import { StateTopic } from '../../src/offsets/index.ts'
import { discoveryText } from '../discovery/cases.ts'
import { MirrorWorld, transactions } from '../mirror-world.ts'
import { servers } from '../sandbox-helper.ts'
import { temporary } from '../temporary.ts'

servers('what a cutover rests on', () => {
  let world: MirrorWorld
  const { signal } = new AbortController()
  const resources: AsyncDisposableStack = new AsyncDisposableStack()

  beforeAll(async () => {
    const config = {
      'authorizer.class.name': 'kafka.security.authorizer.AclAuthorizer',
      'super.users': 'User:ANONYMOUS;User:admin', // who comes by the plaintext listener
    }
    world = await MirrorWorld.open({
      old: { listeners: ['sasl'], config },
      new: {
        config: { 'auto.create.topics.enable': 'true', 'log.message.timestamp.after.max.ms': '3600000' },
      },
    })
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
          effect: "deny User:* write on topic 'denied'",
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

  describe('kmig barrier', () => {
    const ends = () => ({
      from: { name: 'old', bootstrap: world.old.bootstrap },
      to: { name: 'new', bootstrap: world.next.bootstrap },
    })
    const held = (of: Pick<BarrierOptions, 'topics' | 'partitions'>, timeoutMs = 30_000) =>
      barrier({ ...ends(), ...of, name: 'rolling', timeoutMs, signal })
    const hold = (topics: readonly string[], timeoutMs?: number) => held({ topics }, timeoutMs)
    const write = async (topic: string, n: number, cluster = world.old) => {
      const records = Array.from({ length: n }, (_, i) => ({ key: null, value: Buffer.from(`${i}`) }))
      await world.write(cluster, topic, records)
    }
    const TOPICS = ['rolled', 'foreign', 'shifted', 'shared', 'spent', 'latest']
    beforeAll(async () => {
      for (const topic of ['rolled', 'foreign', 'shifted', 'spent', 'uncopied']) await world.make(topic)
      await world.make('shared', 2)
      await world.make('latest', 1, { 'cleanup.policy': 'compact' })
      for (const topic of ['rolled', 'foreign', 'shifted', 'shared']) await write(topic, 10)
      for (const _ of [1, 2])
        await (await writerOf()).send({ topic: 'latest', messages: [{ key: 'k', value: 'v' }] })
      const paying = await (await writerOf({ transactionalId: 'spender' })).transaction()
      await paying.send({ topic: 'spent', messages })
      await paying.commit()
      await runMirror({
        ...ends(),
        ...{ name: 'rolling', topics: TOPICS, groups: ['none'], stateDir: world.stateDir },
        ...{ signal, untilCaughtUp: true },
      })
    })

    test('lets a writer go once all that it wrote is across, and not before', async () => {
      expect(await hold(['rolled'])).toMatchObject({
        reached: true,
        partitions: [{ topic: 'rolled', end: 10n, copied: 10n }],
      })
      await write('rolled', 5)
      const flags = ['--from', world.bootstrap('old'), '--to', world.bootstrap('new'), '--name', 'rolling']
      const late = world.run('barrier', ...flags, '--topics', 'rolled,foreign', '--timeout', '500ms')
      expect((await late.ended).code).toBe(4)
      expect(late.stderr).toMatch(/not across after .*: rolled-0: 10 of 15/)
      const held = hold(['rolled', 'foreign'])
      const stop = new AbortController()
      const running = world.mirror('rolling', ['rolled'], { untilCaughtUp: false, signal: stop.signal })
      expect(await held).toMatchObject({ reached: true, mirror: 'rolling' })
      await write('rolled', 5) // the mirror goes on, and so does the barrier of the next writer
      const next = world.run('barrier', ...flags, '--topics', 'rolled', '--json')
      expect((await next.ended).code).toBe(0)
      expect(JSON.parse(next.stdout)).toMatchObject({ ok: true, reached: true, partitions: [{ end: '20' }] })
      stop.abort()
      await running.catch(() => {})
    })
    test('takes no record of somebody else for one of the old writer', async () => {
      await write('foreign', 5)
      await write('foreign', 9, world.next)
      await expect(hold(['foreign'])).rejects.toMatchObject({
        code: 'FOREIGN_WRITE',
        message: expect.stringContaining('where the copy of offset 14 should stand'),
      })
    })
    test('is not misled by a copy that landed behind a record of somebody else: what is missing after it is not across', async () => {
      const topic = await StateTopic.read(world.next, 'rolling', { signal })
      const identity = topic && new MirrorState(topic).identity
      if (!identity) throw new Error('no identity')
      await write('shifted', 2)
      await write('shifted', 1, world.next)
      // the mirror had this one under way
      const { producerId, producerEpoch } = identity
      const value = Buffer.from('0')
      await world.write(world.next, 'shifted', [{ key: null, value }], {
        stamp: { stamp: { producerId, producerEpoch, baseSequence: 10 } },
      })
      await expect(hold(['shifted'], 1_000)).rejects.toMatchObject({
        code: 'FOREIGN_WRITE',
        message: expect.stringMatching(/shifted-0: .* before offset 12 is not where its sequence belongs/),
      })
    })
    test('knows the copy of a log that begins late, of one with filled holes and of one that is translated', async () => {
      const topics = ['aged', 'holed']
      for (const topic of topics) await world.make(topic)
      await write('aged', 700)
      await world.old.deleteRecords([{ topic: 'aged', partition: 0, offset: 650n }])
      await transactions(world, 'holed', { rounds: 5 })
      const ended = async () => {
        const { leo, stable } = (await proofs(['holed']).look()).get('holed-0') ?? { leo: 0n, stable: -1n }
        expect(stable).toBe(leo) // the last marker is written
      }
      await retry(ended, { withinMs: 20_000, retriable: () => true })
      await write('holed', 600) // no transaction near its end
      for (const [name, offsets] of [
        ['filled', 'auto'],
        ['turned', 'translated'],
      ] as const) {
        if (name === 'turned') await deleteTopics(world.next, topics)
        await world.mirror(name, topics, { offsets })
        expect(await barrier({ ...ends(), name, topics, timeoutMs: 2_000, signal })).toMatchObject({
          reached: true,
        })
      }
    })
    test('of the partitions that a writer alone writes to waits for no other, and refuses while somebody writes to one of these', async () => {
      const part = (partition: number) => held({ topics: ['shared'], partitions: [partition] })
      const wrote = (partition: number) =>
        world.write(world.old, 'shared', [{ key: null, value: Buffer.from('x') }], { partition })
      await wrote(1) // no mirror runs: it is not across
      expect(await part(0)).toMatchObject({ reached: true, partitions: [{ partition: 0, end: 10n }] })
      const stop = new AbortController()
      const running = world.mirror('rolling', ['shared'], { untilCaughtUp: false, signal: stop.signal })
      await expect(
        during(
          () => wrote(0),
          () => part(0),
        ),
      ).rejects.toMatchObject({
        code: 'PREFLIGHT',
        message: expect.stringMatching(/somebody still writes .* alone: shared-0: \d+ -> \d+/),
      })
      stop.abort()
      await running
      await expect(part(2)).rejects.toMatchObject({ code: 'USAGE' })
    })
    test('is refused where writers can not move one by one, and where nothing is copied', async () => {
      const refused = async (topic: string, code: string, message: RegExp) =>
        await expect(hold([topic])).rejects.toMatchObject({ code, message: expect.stringMatching(message) })
      await refused('spent', 'PREFLIGHT', /topic spent: producer \d+ writes transactions to spent-0/)
      await refused('latest', 'PREFLIGHT', /topic latest: it is compacted and 2 producers wrote/)
      await refused('uncopied', 'PREFLIGHT', /mirror rolling does not copy uncopied/)
      await refused('absent', 'TOPIC_MISSING', /has no topic absent/)
    })
  })

  describe('the preflight of a cutover', () => {
    test('stops it while free, names what blocks and what to do; what was accepted by id is in plan and certificate', async () => {
      const root = temporary()
      const [discovery, hooks, stateDir] = ['srv', 'hooks', 'state'].map(name => join(root, name)) as [
        string,
        string,
        string,
      ]
      for (const directory of [discovery, hooks]) mkdirSync(directory)
      const file = join(discovery, 'standard.yaml')
      const before = discoveryText({ devc: [world.clusters.old.bootstrap()] })
      writeFileSync(file, before)
      const hook = `#!/bin/sh\ntouch ${root}/fenced\necho writers-left=0\n`
      for (const name of ['fence', 'unfence']) writeFileSync(join(hooks, name), hook, { mode: 0o755 })
      await world.make('fit')
      await world.write(world.old, 'fit', [{ key: null, value: Buffer.from('v') }])
      const ends = ['--from', world.bootstrap('old'), '--to', world.bootstrap('new'), '--topics', 'fit']
      const kmig = async (...more: string[]) => {
        const command = world.run(
          'cutover',
          ...[...ends, '--groups', 'fit', '--name', 'fit', '--hooks', hooks],
          ...['--discovery', discovery, '--state-dir', stateDir, ...more],
        )
        return { ...(await command.ended), stdout: command.stdout, stderr: command.stderr }
      }
      const found = await kmig('--json')
      expect(found.code).toBe(4)
      expect(JSON.parse(found.stdout).preflight.findings).toContainEqual({
        ...{ id: 'auto-create', severity: 'error', accepted: false },
        ...{ evidence: expect.stringContaining('(true)'), fix: expect.stringContaining('auto.create') },
      })
      const refused = await kmig('--execute', '--yes', '--require-rehearsal', '7d')
      expect(refused.code).toBe(4)
      expect(refused.stderr).toMatch(/auto-create: .*: auto\.create.*=false on '.*'; or --accept auto-create/)
      expect(refused.stderr).toMatch(
        /rehearsal-age: no rehearsal is known.* kmig rehearse .*--accept rehearsal-age/,
      )
      expect([existsSync(join(root, 'fenced')), existsSync(join(stateDir, 'runs'))]).toEqual([false, false])
      expect((await world.next.metadata('all', { signal })).map(({ name }) => name)).not.toContain('fit')

      const plan = await kmig('--accept', 'auto-create', '--json')
      const { run, path } = JSON.parse(plan.stdout).document
      const kept = JSON.parse(readFileSync(join(path, 'plan.json'), 'utf8'))
      expect(kept).toMatchObject({ accepted: ['check:auto-create'] })
      expect(kept.preflight.findings).toContainEqual(
        expect.objectContaining({ id: 'auto-create', accepted: true }),
      )
      const done = await kmig('--execute', '--yes', '--run', run, '--json')
      expect({ code: done.code, stderr: done.stderr }).toMatchObject({ code: 0 })
      expect(existsSync(join(root, 'fenced'))).toBe(true)
      expect(readFileSync(file, 'utf8')).not.toBe(before)
      const certificate = JSON.parse(readFileSync(join(path, 'certificate.json'), 'utf8'))
      expect(certificate).toMatchObject({ consents: ['check:auto-create'], unexplained: [] })
      await deleteTopics(world.next, ['fit'])
    }, 120_000)
  })

  describe('kmig doctor', () => {
    const TOPICS = ['sick', 'brief', 'tidy']
    const look = (more: Partial<DoctorOptions> = {}) =>
      doctor({
        from: { name: 'old', bootstrap: world.old.bootstrap },
        to: { name: 'new', bootstrap: world.next.bootstrap },
        ...{ stateDir: world.stateDir, topics: TOPICS, groups: ['sick-*'], accept: [], signal },
        ...{ windowMs: 10_000, maxFenceMs: 45_000 },
        ...more,
      })
    const evidenceIn = ({ findings }: DoctorReport) =>
      Object.fromEntries(findings.map(({ id, severity, evidence }) => [id, `${severity}: ${evidence}`]))
    beforeAll(async () => {
      await world.make('sick', 1, {
        'compression.type': 'gzip',
        'leader.replication.throttled.replicas': '*',
        'unclean.leader.election.enable': 'true',
      })
      await world.make('brief', 1, { 'retention.ms': '60000' })
      await world.make('tidy')
      await world.write(world.old, 'brief', [{ key: null, value: Buffer.from('v') }])
    })

    test('every check of the list is made, or listed with why not; findings say what and what to do', async () => {
      const report = await look({ hooksDir: undefined })
      expect(report.checks.map(({ id }) => id)).toEqual([...CHECKS])
      const skipped = report.checks.filter(({ is }) => is === 'not-checked')
      expect(skipped.map(({ id }) => id).sort()).toEqual(
        [
          ...['clock-skew', 'discovery-lint', 'fence-driver-probe', 'git-clean', 'hooks', 'rehearsal-age'],
          ...['seal-passes-mirror'],
        ].sort(),
      )
      for (const { why } of skipped) expect(why).toMatch(/\w/)
      for (const { fix } of report.findings) expect(fix).toMatch(/\w/)
      expect(evidenceIn(report)).toMatchObject({
        'auto-create': expect.stringMatching(/^error: .*'new', in the place of the copy: broker \d \(true\)/),
        'compression-not-producer': expect.stringMatching(/^warning: .*: sick$/),
        'throttle-leftover': expect.stringMatching(/^warning: .*topic sick$/),
        'unclean-election': expect.stringMatching(/^warning: .*topic sick$/),
        'retention-race': expect.stringMatching(/^warning: .*: brief \(/),
        'rf-below-min-isr-plus-1': expect.stringContaining('restarts stops writers'),
        'timestamp-limits': expect.stringMatching(
          /more than .* ahead, 'old' takes them; .*: brief, sick, tidy/,
        ),
        'acl-diff': expect.stringMatching(/^warning: ACLs of 'old' that 'new' can't have/),
      })
      const fine = report.checks.filter(({ is }) => is === 'ok').map(({ id }) => id)
      expect(fine).toEqual(
        expect.arrayContaining([
          ...(['offline', 'urp', 'under-min-isr', 'versions', 'disk', 'write-right-on-old'] as const),
          ...(['reassignment-active', 'open-transaction', 'budget', 'partition-count'] as const),
        ]),
      )
    })
    test('the clock of a controller is measured; one that is off blocks, one that can not be looked at says why', async () => {
      const clock = (offMs: number, side: 'old' | 'next') => {
        const only = { name: side, cluster: world[side] } as Facts['old']
        return clockSkew({ old: only, next: only }, { signal, wall: () => Date.now() + offMs })
      }
      expect(await clock(0, 'next')).toMatchObject({ kind: 'looked', findings: [] })
      // not ten minutes sharp: a clock is measured to a few ms
      expect(await clock(-605_000, 'next')).toMatchObject({
        findings: [{ severity: 'error', evidence: expect.stringMatching(/ 10 m 0\d s ahead of/) }, {}],
      })
      expect(await clock(0, 'old')).toMatchObject({
        kind: 'not-checked',
        why: expect.stringMatching(/'old' can't be measured: only a controller without ZooKeeper/),
      })
    })
    test('a group that runs on the new cluster blocks, but not one that a run moved there first', async () => {
      const group = 'sick-readers'
      await createTopics(world.next, [{ name: 'early', partitions: 1, replicationFactor: 1 }])
      await commitOffsets(world.old, group, [{ topic: 'sick', partition: 0, offset: 0n, metadata: null }])
      const consumer = kafkaJs({ brokers: world.next.bootstrap }).consumer({ groupId: group })
      await consumer.connect()
      resources.defer(() => consumer.disconnect())
      const joined = new Promise(done => consumer.on(consumer.events.GROUP_JOIN, done))
      await consumer.subscribe({ topics: ['early'] })
      await consumer.run({ eachMessage: async () => {} })
      await joined
      const { stateDir } = world
      const ends = {
        from: { name: 'old', bootstrap: world.old.bootstrap },
        to: { name: 'new', bootstrap: world.next.bootstrap },
      }
      await using mirror = await Mirror.open({ ...ends, stateDir, name: 'readers', topics: TOPICS, signal })
      const facts = await gather(mirror, { old: 'old', next: 'new' }, { signal })
      const blocked = async (moved?: string[]) => {
        const outcomes = await groupChecks(facts, { mirror, groups: ['sick-*'], moved, signal })
        const active = outcomes.find(({ id }) => id === 'group-active')
        if (active?.kind !== 'looked') throw new Error(active?.why)
        return active.findings.map(({ severity, evidence }) => `${severity}: ${evidence}`)
      }
      const runs = [expect.stringMatching(/^error: groups run on 'new' already, .*: sick-readers$/)]
      expect(await blocked()).toEqual(runs)
      expect(await blocked(['sick-others'])).toEqual(runs)
      expect(await blocked([group])).toEqual([]) // as the journal says
      const state = new MirrorState(await StateTopic.open(world.next, 'readers', { signal }))
      await state.setMoved(group, { run: 'before', at: new Date().toISOString(), partitions: [] }, { signal })
      expect(await blocked()).toEqual([]) // as the new cluster remembers
      await consumer.disconnect()
    })
    test('a transaction that is open for a moment is none to tell of', async () => {
      const writer = await writerOf({ transactionalId: 'sick-writer' })
      const open = await writer.transaction()
      await open.send({ topic: 'sick', messages })
      expect((await look()).findings.filter(({ id }) => id === 'open-transaction')).toEqual([])
      await open.abort()
    })
    test('a topic of the new cluster that is another one blocks, for its partitions or for its records', async () => {
      await createTopics(world.next, [
        { name: 'sick', partitions: 3, replicationFactor: 1 },
        { name: 'tidy', partitions: 1, replicationFactor: 1 },
      ])
      await world.write(world.next, 'tidy', [{ key: null, value: Buffer.from('of somebody else') }])
      expect(evidenceIn(await look())).toMatchObject({
        'partition-count': expect.stringMatching(
          /^error: topic sick: it has 1 partitions on 'old' and 3 on 'new'/,
        ),
        'topic-refused': expect.stringMatching(/^error: topic tidy: .*did not write/),
      })
      await deleteTopics(world.next, ['sick', 'tidy'])
    })
    test('files with a tab, a dirty work tree, a hook that can not run and a fence that can not hold block', async () => {
      const root = temporary()
      mkdirSync(join(root, 'srv/kafka_discovery'), { recursive: true })
      mkdirSync(join(root, 'hooks'))
      writeFileSync(join(root, 'hooks/fence'), '#!/bin/sh\n', { mode: 0o644 })
      writeFileSync(
        join(root, 'srv/kafka_discovery/standard.yaml'),
        `---\nclusters:\n\tdevc:\n    broker_list: ["${world.clusters.old.bootstrap()}"]\n`,
      )
      const report = await look({
        ...{ discovery: join(root, 'srv'), git: true, hooksDir: join(root, 'hooks'), fence: 'min-isr' },
        ...{ windowMs: 44_000, accept: ['auto-create'] },
      })
      const errors = report.findings.filter(({ severity }) => severity === 'error')
      expect(new Set(errors.map(({ id }) => id))).toEqual(
        new Set(['auto-create', 'fence-driver-probe', 'discovery-lint', 'hooks', 'budget']),
      )
      expect(blocking(report.findings).map(({ id }) => id)).not.toContain('auto-create')
      expect(evidenceIn(report)['discovery-lint']).toMatch(/standard\.yaml:3:1 tab/)
    })
    test('the command ends with 4 while something blocks and with 0 once it is accepted', async () => {
      const ends = ['--from', world.bootstrap('old'), '--to', world.bootstrap('new'), '--topics', 'tidy']
      const run = (...more: string[]) =>
        world.run('doctor', ...ends, '--groups', 'sick-*', '--state-dir', world.stateDir, ...more)
      const blocked = run()
      expect((await blocked.ended).code).toBe(4)
      expect(blocked.stderr).toMatch(/BLOCKS {2}auto-create: .*\n {10}auto\.create\.topics\.enable=false/)
      const taken = run('--accept', 'auto-create', '--json')
      expect((await taken.ended).code).toBe(0)
      expect(JSON.parse(taken.stdout)).toMatchObject({ ok: true, command: 'doctor', topics: 1 })
      const same = world.run('doctor', '--from', world.bootstrap('old'), '--to', world.bootstrap('old'))
      expect((await same.ended).code).toBe(4)
      expect(same.stderr).toContain('are the same cluster')
    })
  })
})
