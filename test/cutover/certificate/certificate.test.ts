import { describe, expect, test } from 'vitest'
import { toJSONSchema } from 'zod'
import { certificateOf, chained } from '../../../src/cutover/certificate/certificate.ts'
import { certificateShape } from '../../../src/cutover/certificate/shape.ts'
import { contents, input, seen, sha } from './input.ts'

const made = (
  over: Parameters<typeof input>[0] = {},
  change: (all: ReturnType<typeof contents>) => void = () => {},
  look = seen(),
) => {
  const all = contents()
  change(all)
  return certificateShape.parse(certificateOf(input(over), all, look))
}
const ends = (old: bigint, next: bigint) =>
  seen({ ends: { old: new Map([['orders-0', old]]), next: new Map([['orders-0', next]]) } })

describe('a certificate', () => {
  test('of a run that went well leaves nothing unexplained', () => {
    const { verdict, unexplained, partitions, pause, duplicates } = made()
    expect({ verdict, unexplained }).toEqual({ verdict: 'proved', unexplained: [] })
    expect(partitions[0]).toMatchObject({
      ...{ cut: '100', records: 100, compared: { from: '0', to: '100' }, startOld: '0', endNew: '100' },
      digestOld: chained([sha('0-80'), sha('80-100')]),
    })
    expect(partitions[0]?.digestNew).toBe(partitions[0]?.digestOld)
    expect(pause).toEqual([{ topic: 'orders', ms: 2_500 }])
    expect(duplicates.bound).toBe('10')
  })
  test('is the same for the same facts', () => expect(made()).toEqual(made()))

  const rows: [what: string, certificate: () => ReturnType<typeof made>, unexplained: RegExp][] = [
    [
      'a difference before the fence',
      () => made({}, all => void all.base.differences.push('changed orders-0')),
      /changed orders-0/,
    ],
    [
      'a digest of one side that is another',
      () =>
        made({}, all => {
          const window = all.delta.partitions[0]?.next?.windows[0]
          if (window) window.sha256 = sha('another')
        }),
      /orders-0: the digests of both sides differ/,
    ],
    [
      'a window that one side has not got',
      () => made({}, all => void all.delta.partitions[0]?.next?.windows.pop()),
      /orders-0: the digests of both sides differ/,
    ],
    [
      'records before the cut that nobody compared',
      () =>
        made({}, all => {
          all.delta.partitions = []
        }),
      /orders-0: offsets 80 to 100 were not compared/,
    ],
    [
      'a partition that nobody compared',
      () =>
        made({}, all => {
          all.base.partitions = all.delta.partitions = []
        }),
      /orders-0: no contents were compared/,
    ],
    [
      'a beginning that was left out and is still there',
      () =>
        made({}, all => {
          const [first] = all.base.partitions
          if (first?.old) first.old.from = 10n
        }),
      /orders-0: offsets 0 to 10 were not compared/,
    ],
    [
      'an old cluster that grew',
      () => made({}, undefined, ends(103n, 100n)),
      /the old cluster ends at 103, the cut was 100/,
    ],
    [
      'a new cluster that lost its end',
      () => made({}, undefined, ends(100n, 99n)),
      /the new cluster ends at 99.*lost records/,
    ],
    [
      'stranded records',
      () =>
        made(
          { stranded: [{ topic: 'orders', partition: 0, from: '100', to: '103' }] },
          undefined,
          ends(103n, 100n),
        ),
      /stranded orders-0: offsets 100 to 102/,
    ],
    [
      'a group that stayed',
      () => made({ groupsLeft: [{ group: 'g', why: 'it has members' }] }),
      /group g was not moved: it has members/,
    ],
    ['a way back that is not armed', () => made({ rollbackClass: 'REVERSE' }), /none is armed/],
  ]
  for (const [what, certificate, text] of rows)
    test(`with ${what} is not proved, and says so`, () => {
      const { verdict, unexplained } = certificate()
      expect(verdict).toBe('unproved')
      expect(unexplained).toHaveLength(1)
      expect(unexplained[0]).toMatch(text)
    })

  test('names what retention deleted before it was compared, and is proved for the rest', () => {
    const { verdict, partitions } = made(
      {},
      all => {
        const [first] = all.base.partitions
        if (first?.old) first.old.from = 10n
        first?.notCompared.push({ side: 'target', from: 0n, to: 10n, why: 'the source deleted it' })
      },
      seen({ starts: { old: new Map([['orders-0', 10n]]), next: new Map() } }),
    )
    expect(verdict).toBe('proved')
    expect(partitions[0]?.notComparable).toEqual([
      { side: 'new', from: '0', to: '10', why: 'the source deleted it' },
    ])
  })
  test('without a content check is accepted at most', () => {
    const { plan } = input()
    const strategy = { ...plan.strategy, check: false }
    const { verdict, partitions } = made({ plan: { ...plan, strategy }, base: undefined }, all => {
      all.base.partitions = all.delta.partitions = []
    })
    expect([verdict, partitions[0]?.digestOld]).toEqual(['accepted', undefined])
  })
  test('accounts for every topic, group and setting', () => {
    const { plan } = input()
    const changes = [
      {
        cluster: 'new' as const,
        kind: 'config' as const,
        name: 'topic orders retention.ms',
        prior: '1',
        next: '-1',
        when: 'PREPARED',
      },
    ]
    const { coverage } = made({
      plan: { ...plan, changes },
      leftBehind: { topics: ['logs'], groups: [{ group: 'connect-x', why: 'not chosen by --groups' }] },
    })
    expect(coverage.map(({ kind, name, what }) => `${kind} ${name} ${what}`)).toEqual([
      'topic orders copied',
      'topic logs refused',
      'group billing copied',
      'group connect-x refused',
      'setting topic orders retention.ms (new) changed',
    ])
  })
})

test('the form of certificates is published', async () => {
  const schema = toJSONSchema(certificateShape)
  await expect(`${JSON.stringify(schema, undefined, 2)}\n`).toMatchFileSnapshot(
    '../../../docs/schemas/certificate.json',
  )
})
