import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { ApiVersions } from '../../src/kafka/index.ts'
import { Reader, Writer } from '../../src/wire/index.ts'
import { TABLES } from './fake-broker.ts'

type Recorded = { api: string; version: number; request: string; response: string }
const VERSIONS = ['2.8.2', '3.9.2', '4.3.1']
const recorded = (version: string) =>
  JSON.parse(
    readFileSync(new URL(`../../fixtures/wire/kafka-${version}.json`, import.meta.url), 'utf8'),
  ) as Recorded[]

const exchange = ({ api, version, request, response }: Recorded) => {
  const table = TABLES.find(({ name }) => name === api)
  if (!table) throw new Error(`no table for ${api}`)
  const at = { version, flexible: version >= table.flexibleFrom }
  const [asked, answered] = [Buffer.from(request, 'hex'), Buffer.from(response, 'hex')]
  const [fromAsked, fromAnswered] = [new Reader(asked), new Reader(answered)]
  const header = {
    key: fromAsked.int16(),
    version: fromAsked.int16(),
    correlationId: fromAsked.int32(),
    clientId: fromAsked.nullableString16(),
    answers: fromAnswered.int32(),
  }
  if (at.flexible) fromAsked.unsignedVarint()
  if (at.flexible && table.key !== ApiVersions.key) fromAnswered.unsignedVarint()
  const bodies = [asked.subarray(fromAsked.position), answered.subarray(fromAnswered.position)] as const
  return { table, at, header, fromAsked, fromAnswered, bodies }
}

for (const broker of VERSIONS) {
  describe(`what Kafka ${broker} was asked and answered`, () => {
    for (const row of recorded(broker)) {
      test(`${row.api} v${row.version} is read to its end and written back byte by byte`, () => {
        const { table, at, header, fromAsked, fromAnswered, bodies } = exchange(row)
        expect(header).toEqual({
          key: table.key,
          version: row.version,
          correlationId: header.answers,
          clientId: 'kmig',
          answers: header.correlationId,
        })
        const [request, response] = [table.request.read(fromAsked, at), table.response.read(fromAnswered, at)]
        expect([fromAsked.left, fromAnswered.left]).toEqual([0, 0])
        const [asked, answered] = [new Writer(), new Writer()]
        table.request.write(asked, request as never, at)
        expect(asked.toBuffer().equals(bodies[0])).toBe(true)
        table.response.write(answered, response as never, at)
        const known = row.api !== 'ApiVersions' || row.version < 3 // its tags (features) are left out
        if (known) expect(answered.toBuffer().equals(bodies[1])).toBe(true)
      })
    }
  })
}

describe('answers say what the broker meant', () => {
  const answer = (
    broker: string,
    api: string,
    pick: (versions: number[]) => number = v => Math.max(...v),
  ) => {
    const rows = recorded(broker).filter(row => row.api === api)
    const version = pick(rows.map(row => row.version))
    const { table, at, fromAnswered } = exchange(
      rows.find(row => row.version === version) ?? rows[0] ?? ({} as Recorded),
    )
    return table.response.read(fromAnswered, at)
  }
  for (const broker of VERSIONS) {
    test(`${broker}: an aborted transaction, an offset out of range, records in place`, () => {
      const value = answer(broker, 'Fetch') as {
        topics: { topic: string; partitions: Record<string, unknown>[] }[]
      }
      const [txn, orders] = value.topics
      expect(txn?.partitions[0]).toMatchObject({
        errorCode: 0,
        highWatermark: 4n,
        lastStableOffset: 4n,
        abortedTransactions: [{ firstOffset: 0n }],
      })
      expect(txn?.partitions[0]?.['records']).toSatisfy((records: Buffer) => records.readBigInt64BE(0) === 0n)
      expect(orders?.partitions.map(each => each['errorCode'])).toEqual([0, 1])
    })
    test(`${broker}: a produced batch and a partition that does not exist`, () => {
      const value = answer(broker, 'Produce', v => Math.min(...v)) as {
        topics: { partitions: { partition: number }[] }[]
      }
      const inOrder = value.topics[0]?.partitions.sort((a, b) => a.partition - b.partition)
      expect(inOrder).toMatchObject([
        { partition: 0, errorCode: 0, baseOffset: 0n, logAppendTimeMs: -1n },
        { partition: 7, errorCode: 3, baseOffset: -1n },
      ])
    })
    test(`${broker}: the end of an epoch, and an epoch that the leader does not have yet`, () => {
      const value = answer(broker, 'OffsetForLeaderEpoch') as { topics: { partitions: unknown[] }[] }
      expect(value.topics[0]?.partitions).toMatchObject([
        { partition: 0, errorCode: 0, leaderEpoch: 0 },
        { partition: 1, errorCode: 75 },
      ])
    })
    test(`${broker}: committed offsets with their metadata`, () => {
      type Offsets = { topics: { partitions: unknown[] }[] }
      const value = answer(broker, 'OffsetFetch') as Offsets & { groups: Offsets[] }
      expect((value.groups[0] ?? value).topics[0]?.partitions).toMatchObject([
        { partition: 0, offset: 2n, leaderEpoch: 0, metadata: 'kept', errorCode: 0 },
        { partition: 1, offset: 0n, metadata: '', errorCode: 0 },
      ])
    })
    test(`${broker}: a topic with its id, and one that does not exist`, () => {
      const value = answer(broker, 'Metadata') as { topics: Record<string, unknown>[] }
      const [orders, absent] = [...value.topics].sort((a, b) =>
        String(a['name']) < String(b['name']) ? 1 : -1,
      )
      expect(orders).toMatchObject({
        name: 'orders',
        errorCode: 0,
        topicId: expect.stringMatching(/^[\w-]{22}$/),
      })
      expect(orders?.['topicId']).not.toBe('AAAAAAAAAAAAAAAAAAAAAA')
      expect(absent).toMatchObject({ name: 'absent', errorCode: 3, partitions: [] })
    })
    test(`${broker}: a refused setting with the broker's own words`, () => {
      const value = answer(broker, 'IncrementalAlterConfigs') as { resources: Record<string, unknown>[] }
      const of = (name: string) => value.resources.find(each => each['name'] === name)
      expect(of('orders')).toMatchObject({ errorCode: 0 })
      expect(of('txn')).toMatchObject({
        errorCode: broker === '2.8.2' ? 42 : 40,
        errorMessage: expect.stringContaining('retention.ms'),
      })
    })
    test(`${broker}: a prefixed ACL, an operation that there is not, and what was deleted`, () => {
      const acl = { principal: 'User:a', host: '*', operation: 3, permission: 3 }
      expect(answer(broker, 'CreateAcls')).toMatchObject({
        results: [{ errorCode: 0 }, { errorCode: expect.toSatisfy((code: number) => code !== 0) }],
      })
      expect(answer(broker, 'DescribeAcls')).toMatchObject({
        errorCode: 0,
        resources: [{ resourceType: 2, name: 'ord', patternType: 4, acls: [acl] }],
      })
      expect(answer(broker, 'DeleteAcls')).toMatchObject({ results: [{ errorCode: 0, matches: [] }] })
    })
    test(`${broker}: a quota of a user with any client id, and a key that there is not`, () => {
      const { entries } = answer(broker, 'AlterClientQuotas') as { entries: { errorCode: number }[] }
      expect(entries.map(({ errorCode }) => errorCode === 0).sort()).toEqual([false, true])
      const found = answer(broker, 'DescribeClientQuotas') as { entries: { entity: { type: string }[] }[] }
      const [quota] = found.entries
      expect(quota).toMatchObject({ values: [{ key: 'request_percentage', value: 12.5 }] })
      expect(quota?.entity.toSorted((a, b) => (a.type < b.type ? -1 : 1))).toEqual([
        { type: 'client-id', name: null },
        { type: 'user', name: 'a' },
      ])
    })
    test(`${broker}: what a partition takes on its disk, and no reassignment`, () => {
      expect(answer(broker, 'DescribeLogDirs')).toMatchObject({
        errorCode: 0,
        directories: [
          {
            errorCode: 0,
            topics: expect.arrayContaining([
              {
                topic: 'orders',
                partitions: [{ partition: 0, bytes: expect.any(BigInt), offsetLag: 0n, future: false }],
              },
            ]),
            totalBytes: expect.toSatisfy((bytes: bigint) =>
              broker === '2.8.2' ? bytes === -1n : bytes > 0n,
            ),
          },
        ],
      })
      expect(answer(broker, 'ListPartitionReassignments')).toMatchObject({ errorCode: 0, topics: [] })
    })
    test(`${broker}: a user with a SCRAM credential`, () => {
      const credentials = [{ mechanism: 1, iterations: 4_096 }]
      expect(answer(broker, 'DescribeUserScramCredentials')).toMatchObject({
        errorCode: 0,
        results: [{ user: 'reader', errorCode: 0, credentials }],
      })
    })
  }
  for (const broker of ['3.9.2', '4.3.1']) {
    test(`${broker}: a transaction that was committed, and one that there is not`, () => {
      const { transactions } = answer(broker, 'DescribeTransactions') as {
        transactions: { transactionalId: string }[]
      }
      const by = new Map(transactions.map(each => [each.transactionalId, each]))
      expect(by.get('x')).toMatchObject({ errorCode: 0, state: expect.stringMatching(/Commit$/), topics: [] })
      expect(by.get('absent')).toMatchObject({ errorCode: 105 })
    })
  }
  test('a live group of the new protocol, one of the classic protocol, and one that there is not', () => {
    const value = answer('4.3.1', 'ConsumerGroupDescribe') as { groups: { groupId: string }[] }
    const groups = new Map(value.groups.map(group => [group.groupId, group]))
    expect(groups.get('modern')).toMatchObject({
      errorCode: 0,
      state: 'Stable',
      members: [{ clientId: 'kmig', topics: ['orders'], assignment: { topics: [{ topic: 'orders' }] } }],
    })
    expect(groups.get('readers')).toMatchObject({ errorCode: 69 })
    expect(groups.get('nobody')).toMatchObject({ errorCode: 69 })
  })
})
