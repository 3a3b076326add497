import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import {
  Cluster,
  commitOffsets,
  createAcls,
  createTopics,
  describeTopicConfigs,
  groupOffsets,
  kafkaJs,
  LATEST,
  listAcls,
  listGroups,
} from '../../src/kafka/index.ts'
import { parseBootstrap } from '../../src/kit/index.ts'
import { spawned } from '../cli/spawned.ts'
import { discoveryText, scratch } from '../discovery/cases.ts'
import { authorizer, type Pair, pair, servers } from '../sandbox-helper.ts'
import { temporary } from '../temporary.ts'

const bin = new URL('../../bin/kmig.js', import.meta.url).pathname

const byName = ([a]: readonly [string, unknown], [b]: readonly [string, unknown]) => (a < b ? -1 : 1)

servers('kmig rehearse --shadow on real clusters', () => {
  let clusters: Pair
  let old: Cluster
  let next: Cluster
  let before: Awaited<ReturnType<typeof world>>
  beforeAll(async () => {
    clusters = await pair({
      old: { config: authorizer('kafka-zk') },
      new: { config: authorizer('kraft') },
    })
    old = await Cluster.open({ bootstrap: parseBootstrap(clusters.old.bootstrap()) })
    next = await Cluster.open({ bootstrap: parseBootstrap(clusters.new.bootstrap()) })
    for (const [cluster, names] of [
      [old, ['orders', 'state']],
      [next, ['orders', 'elsewhere']],
    ] as const) {
      await createTopics(
        cluster,
        names.map(name => ({
          ...{ name, partitions: 3, replicationFactor: 1 },
          configs: { 'retention.ms': '7200000', 'cleanup.policy': name === 'state' ? 'compact' : 'delete' },
        })),
      )
      const producer = kafkaJs({ brokers: cluster.bootstrap }).producer()
      await producer.connect()
      for (const topic of names)
        await producer.send({ topic, messages: [{ key: 'a', value: 'b', partition: 0 }] })
      await producer.disconnect()
      await commitOffsets(cluster, 'billing', [
        { topic: 'orders', partition: 0, offset: 1n, metadata: 'mine' },
      ])
      const acl = { resource: 'topic', pattern: 'prefixed', name: 'orders', principal: 'User:app', host: '*' }
      const refused = (_: unknown, error: Error) => {
        throw error
      }
      await createAcls(cluster, [{ ...acl, operation: 'read', permission: 'allow' }], { refused })
    }
  })
  afterAll(async () => {
    await old?.[Symbol.asyncDispose]()
    await next?.[Symbol.asyncDispose]()
    await clusters?.[Symbol.asyncDispose]()
  })

  const seen = async (cluster: Cluster) => {
    const all = (await cluster.metadata('all')).filter(({ name }) => name !== '__consumer_offsets')
    const names = all.map(({ name }) => name)
    const places = all.flatMap(({ name, partitions }) =>
      partitions.map(({ partition }) => ({ topic: name, partition, timestamp: LATEST })),
    )
    const groups = (await listGroups(cluster)).map(({ groupId, state }) => ({ groupId, state }))
    return {
      topics: all
        .map(({ name, topicId, partitions }) => ({ name, topicId, partitions: partitions.length }))
        .sort((a, b) => (a.name < b.name ? -1 : 1)),
      configs: [...(await describeTopicConfigs(cluster, names))].sort(byName),
      ends: [...(await cluster.listOffsets(places))]
        .map(([where, { offset }]) => [where, String(offset)] as const)
        .sort(byName),
      groups,
      offsets: [
        ...(await groupOffsets(
          cluster,
          groups.map(({ groupId }) => groupId),
        )),
      ].sort(byName),
      acls: (await listAcls(cluster))?.map(acl => JSON.stringify(acl)).sort(),
    }
  }
  const world = async () => ({ old: await seen(old), next: await seen(next) })
  const files = () =>
    scratch({ 'kafka_discovery/standard.yaml': discoveryText({ devc: [clusters.old.bootstrap()] }) })
  const kmig = (state: string, args: string[], at?: [string, NodeJS.Signals]) =>
    spawned(
      bin,
      [
        ...['rehearse', '--from', clusters.old.bootstrap(), '--to', clusters.new.bootstrap()],
        ...['--state-dir', state, '--progress', 'plain', ...args],
      ],
      at ? { signals: { at: at[0], send: at[1] } } : {},
    )
  const play = (root: string) => ['--discovery', root, '--shadow', '--yes']
  const idsIn = (state: string) => readdirSync(join(state, 'rehearsals'))
  const left = (state: string) =>
    idsIn(state).filter(id =>
      ['made.json', 'work'].some(name => existsSync(join(state, 'rehearsals', id, name))),
    )
  beforeEach(async () => {
    before = await world()
    for (const side of [before.old, before.next])
      expect(side).toMatchObject({ acls: [expect.any(String)], groups: [{ groupId: 'billing' }] })
  })

  test('nothing is made that was not agreed to: exit 4, and what would be is named', async () => {
    const state = temporary()
    using srv = files()
    const { code, stderr } = await kmig(state, ['--discovery', srv.root, '--shadow'])
    expect({ code, stderr }).toMatchObject({ code: 4, stderr: expect.stringContaining('NEEDS_CONSENT') })
    expect(stderr).toMatch(/__kmig-rehearsal\.[\w-]+\.orders/)
    expect(await world()).toEqual(before)
  }, 120_000)

  test('a cutover, its way back and a second cutover on shadow topics lose nothing; real topics, settings, groups, ACLs and files are as before, and all that was made is gone', async () => {
    const state = temporary()
    using srv = files()
    const text = readFileSync(join(srv.root, 'kafka_discovery/standard.yaml'), 'utf8')
    const { code, stdout, stderr } = await kmig(state, [...play(srv.root), '--contents', '--json'])
    expect({ code, stderr, stdout }).toMatchObject({ code: 0 })
    const report = JSON.parse(stdout)
    expect(report).toMatchObject({
      how: 'shadow',
      ok: true,
      topics: ['orders', 'state'],
      clone: { topics: 2, partitions: 6, groups: 1 },
      certificate: { verdict: 'proved' },
      files: { untouched: true, restored: true },
      rollback: { clientsBack: true },
      logs: { totals: { lost: 0, repeated: 0, outOfOrder: 0 }, skipped: 0, reread: 0, faults: [] },
    })
    for (const side of ['old', 'new']) {
      const { topics, groups } = report.shadow[side]
      for (const name of [...topics, ...groups]) expect(stderr).toContain(name)
    }
    expect(report.shadow.deleted.topics).toBe(6)
    expect(await world()).toEqual(before)
    expect(readFileSync(join(srv.root, 'kafka_discovery/standard.yaml'), 'utf8')).toBe(text)
    expect(left(state)).toEqual([])
  }, 300_000)

  test('killed in the middle it leaves what it made; --clean deletes that by id, and nothing else', async () => {
    const state = temporary()
    using srv = files()
    const ended = await kmig(state, play(srv.root), ['cutover: writers are on the new cluster', 'SIGKILL'])
    expect(ended.code).toBe(-1)
    const [id = ''] = left(state)
    const names = (await next.metadata('all')).map(({ name }) => name)
    expect(names).toContain(`__kmig-rehearsal.${id}.orders`)

    const other = await spawned(bin, [
      ...['rehearse', '--from', clusters.new.bootstrap(), '--to', clusters.old.bootstrap()],
      ...['--state-dir', state, '--clean', id, '--yes'],
    ])
    expect(other).toMatchObject({ code: 4, stderr: expect.stringContaining('PREFLIGHT') })
    const cleaned = await kmig(state, ['--clean', id, '--yes', '--json'])
    expect({ ...cleaned, report: JSON.parse(cleaned.stdout) }).toMatchObject({
      code: 0,
      report: { id, topics: 6 },
    })
    expect(await world()).toEqual(before)
    expect(left(state)).toEqual([])
    const again = await kmig(state, ['--clean', id, '--yes'])
    expect(again).toMatchObject({ code: 2, stderr: expect.stringContaining('has left nothing') })
  }, 300_000)

  test('SIGTERM ends it with everything deleted, exit 143', async () => {
    const state = temporary()
    using srv = files()
    const ended = await kmig(state, play(srv.root), ['rollback: every byte', 'SIGTERM'])
    expect(ended).toMatchObject({
      code: 143,
      stderr: expect.stringContaining('that were made on both clusters'),
    })
    expect(await world()).toEqual(before)
    expect(left(state)).toEqual([])
  }, 300_000)
})
