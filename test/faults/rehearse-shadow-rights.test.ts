import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  type Acl,
  Cluster,
  commitOffsets,
  createAcls,
  createTopics,
  deleteAcls,
  deleteTopics,
  listAcls,
  listGroups,
} from '../../src/kafka/index.ts'
import { parseBootstrap, retry } from '../../src/kit/index.ts'
import { spawned } from '../cli/spawned.ts'
import { discoveryText, scratch } from '../discovery/cases.ts'
import { authorizer, type Pair, pair, servers } from '../sandbox-helper.ts'
import { temporary } from '../temporary.ts'

const bin = new URL('../../bin/kmig.js', import.meta.url).pathname
const LISTENER = 'sasl-tls'

type End = 'old' | 'new'
const ENDS = ['old', 'new'] as const
const acl = (resource: string, pattern: string, name: string, operation: string): Acl => ({
  ...{ resource, pattern, name, principal: 'User:kmig', host: '*', operation, permission: 'allow' },
})
/** What docs/rehearse.md lists, and nothing else. */
const OF_ITS_OWN = [
  ...['create', 'delete', 'read', 'write', 'alter-configs'].map(operation =>
    acl('topic', 'prefixed', '__kmig', operation),
  ),
  ...['read', 'delete'].map(operation => acl('group', 'prefixed', '__kmig', operation)),
]
const OF_THE_REAL = [
  acl('topic', 'literal', 'orders', 'describe'),
  acl('topic', 'literal', 'orders', 'describe-configs'),
  acl('group', 'literal', 'billing', 'describe'),
]
const GRANTED = { old: [...OF_ITS_OWN, ...OF_THE_REAL], new: OF_ITS_OWN }

servers('kmig rehearse --shadow by a user who has only the rights that docs list', () => {
  let clusters: Pair
  let all: Record<End, Cluster>
  let before: Awaited<ReturnType<typeof world>>
  beforeAll(async () => {
    const config = (kind: 'kafka-zk' | 'kraft') => ({
      ...authorizer(kind),
      'allow.everyone.if.no.acl.found': 'false',
    })
    clusters = await pair({
      old: { listeners: [LISTENER], config: config('kafka-zk') },
      new: { listeners: [LISTENER], config: config('kraft') },
    })
    const open = (end: End) => Cluster.open({ bootstrap: parseBootstrap(clusters[end].bootstrap()) })
    all = { old: await open('old'), new: await open('new') }
    for (const name of ['orders', 'hidden'])
      await createTopics(all.old, [{ name, partitions: 3, replicationFactor: 1 }])
    const offset = { topic: 'orders', partition: 0, offset: 0n, metadata: '' }
    for (const end of ENDS) {
      await commitOffsets(all[end], 'billing', [offset])
      await granted(end, GRANTED[end])
    }
    before = await world()
  })
  afterAll(async () => {
    for (const end of ENDS) await all?.[end][Symbol.asyncDispose]()
    await clusters?.[Symbol.asyncDispose]()
  })

  /** Gives kmig's user these rights on a cluster, and no others. */
  const granted = async (end: End, acls: readonly Acl[]) => {
    const cluster = all[end]
    const key = ({ resource, name, operation }: Acl) => `${resource} ${name} ${operation}`
    const wanted = new Set(acls.map(key))
    await deleteAcls(
      cluster,
      ((await listAcls(cluster)) ?? []).filter(row => !wanted.has(key(row))),
    )
    const refused = (_: unknown, error: Error) => {
      throw error
    }
    await createAcls(cluster, acls, { refused })
    const there = async () => expect(await listAcls(cluster)).toHaveLength(acls.length)
    await retry(there, { withinMs: 20_000, retriable: () => true })
  }
  const seen = async (cluster: Cluster) => ({
    topics: (await cluster.metadata('all'))
      .filter(({ name }) => name !== '__consumer_offsets')
      .map(({ name, topicId }) => `${name} ${topicId}`)
      .sort(),
    groups: (await listGroups(cluster)).map(({ groupId }) => groupId),
  })
  const world = async () => ({ old: await seen(all.old), new: await seen(all.new) })

  const rehearse = async () => {
    const state = temporary()
    using srv = scratch({
      'kafka_discovery/standard.yaml': discoveryText({ devc: [clusters.old.bootstrap(LISTENER)] }),
    })
    const row = (end: End) => {
      const properties = clusters[end].clientProperties(LISTENER)
      writeFileSync(join(state, `${end}.properties`), properties, { mode: 0o600 })
      return `  ${end}: { bootstrap: "${clusters[end].bootstrap(LISTENER)}", properties: ${end}.properties }\n`
    }
    writeFileSync(join(state, 'kmig.yaml'), `clusters:\n${ENDS.map(row).join('')}`)
    return await spawned(bin, [
      ...['rehearse', '--config', join(state, 'kmig.yaml'), '--state-dir', state, '--progress', 'plain'],
      ...['--discovery', srv.root, '--shadow', '--yes', '--contents', '--json'],
    ])
  }

  test('by SCRAM over TLS it plays both cutovers and the way back, loses nothing, and leaves nothing on either cluster', async () => {
    const { code, stdout, stderr } = await rehearse()
    expect({ code, stderr, stdout }).toMatchObject({ code: 0 })
    expect(JSON.parse(stdout)).toMatchObject({
      ...{ how: 'shadow', ok: true, topics: ['orders'] },
      clone: { topics: 1, partitions: 3, groups: 1, refused: [] },
      certificate: { verdict: 'proved' },
      rollback: { clientsBack: true },
      logs: { totals: { lost: 0, repeated: 0, outOfOrder: 0 }, skipped: 0, reread: 0, faults: [] },
    })
    expect(await world()).toEqual(before)
  }, 300_000)

  test('where its user sees ACLs, those that one cluster alone has do not stand in the way', async () => {
    const sees = acl('cluster', 'literal', 'kafka-cluster', 'describe')
    for (const end of ENDS) await granted(end, [...GRANTED[end], sees])
    try {
      const { code, stdout, stderr } = await rehearse()
      expect({ code, stderr, stdout }).toMatchObject({ code: 0 })
      expect(JSON.parse(stdout)).toMatchObject({ ok: true, certificate: { verdict: 'accepted' } })
    } finally {
      for (const end of ENDS) await granted(end, GRANTED[end])
    }
    expect(await world()).toEqual(before)
  }, 300_000)

  const own = GRANTED.new.map(({ resource, operation }) => [resource, operation] as const)
  const rows = ENDS.flatMap(end => own.map(([resource, operation]) => ({ end, resource, operation })))
  // a KRaft broker that shows a topic that is not there does not tell that it could not be deleted
  const told = rows.filter(
    row => !(row.end === 'new' && row.operation === 'delete' && row.resource === 'topic'),
  )
  const without = async ({ end, resource, operation }: (typeof rows)[number]) => {
    const lacks = (row: Acl) =>
      row.name === '__kmig' && row.resource === resource && row.operation === operation
    await granted(
      end,
      GRANTED[end].filter(row => !lacks(row)),
    )
    try {
      return await rehearse()
    } finally {
      await granted(end, GRANTED[end])
    }
  }
  const wordsOf = (operation: string) => operation.replace(/(^|-)(.)/g, (_, __, first) => first.toUpperCase())
  for (const row of told) {
    const { end, resource, operation } = row
    test(`without ${wordsOf(operation)} on ${resource}s of its own on the ${end} cluster it is exit 5 with that right named, and nothing is left`, async () => {
      const { code, stdout, stderr } = await without(row)
      expect({ code, stdout, stderr }).toMatchObject({ code: 5 })
      expect(stdout).toMatch(new RegExp(`it needs ${wordsOf(operation)} on ${resource} __kmig`))
      expect(await world()).toEqual(before)
    }, 120_000)
  }

  test('without Delete on topics of a KRaft cluster one empty topic is left and named, exit 6', async () => {
    const { code, stdout, stderr } = await without({ end: 'new', resource: 'topic', operation: 'delete' })
    expect({ code, stdout, stderr }).toMatchObject({ code: 6 })
    const [, name = ''] = stdout.match(/it needs Delete on topic (__kmig-rehearsal\.[\w-]+)/) ?? []
    await deleteTopics(all.new, [name])
    expect(await world()).toEqual(before)
  }, 120_000)
})
