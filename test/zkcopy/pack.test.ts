import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Writer } from '../../src/wire/index.ts'
import {
  type Batch,
  type Change,
  opCount,
  opsOf,
  pack,
  type Step,
  stepBytes,
} from '../../src/zkcopy/change.ts'
import { MULTI_BYTES, multi, OPEN_ACL } from '../../src/zookeeper/index.ts'

const path = fc.integer({ min: 1, max: 30 }).map(length => `/${'p'.repeat(length)}`)
const data = fc.option(
  fc.integer({ min: 0, max: 900 }).map(length => Buffer.alloc(length)),
  { nil: null },
)
const change: fc.Arbitrary<Change> = fc.oneof(
  fc.record({ kind: fc.constant('create' as const), path, data, acl: fc.constant(OPEN_ACL) }),
  fc.record({
    kind: fc.constant('set' as const),
    path,
    data,
    version: fc.nat(9),
    acl: fc.constant(OPEN_ACL),
  }),
  fc.record({ kind: fc.constant('delete' as const), path, version: fc.nat(9) }),
  fc.record({ kind: fc.constant('acl' as const), path, acl: fc.constant(OPEN_ACL), aversion: fc.nat(9) }),
)
const packed = async (changes: readonly (readonly Change[])[], limits: { ops: number; bytes: number }) => {
  const batches: Batch[] = []
  for await (const batch of pack(changes, limits)) batches.push(batch)
  return batches
}
const size = (batch: Batch) => batch.ops.reduce((sum, op) => sum + stepBytes(op), MULTI_BYTES)

test('batches keep every change in its order, within both limits unless one operation is larger alone', async () => {
  const limits = fc.record({
    ops: fc.integer({ min: 1, max: 20 }),
    bytes: fc.integer({ min: 100, max: 2_000 }),
  })
  await fc.assert(
    fc.asyncProperty(fc.array(fc.array(change)), limits, async (changes, limit) => {
      const batches = await packed(changes, limit)
      expect(batches.flatMap(({ ops }) => ops)).toEqual(changes.flat().filter(({ kind }) => kind !== 'acl'))
      expect(batches.flatMap(({ acls }) => acls)).toEqual(changes.flat().filter(({ kind }) => kind === 'acl'))
      for (const batch of batches) {
        expect(batch.ops.length + batch.acls.length).toBeGreaterThan(0)
        expect(batch.ops.length).toBeLessThanOrEqual(limit.ops)
        if (batch.ops.length > 1) expect(size(batch)).toBeLessThanOrEqual(limit.bytes)
      }
    }),
  )
})

const replayed: fc.Arbitrary<Step> = fc
  .record({ path, data, acl: fc.constant(OPEN_ACL), version: fc.nat(50), more: fc.nat(60) })
  .chain(({ more, ...of }) =>
    fc.constantFrom<Step>(
      { ...of, kind: 'create', upTo: more },
      { ...of, kind: 'set', upTo: of.version + more },
      { ...of, kind: 'remake', upTo: more },
    ),
  )

test('a replayed version is reached over any number of multis, each of which leaves the right data', async () => {
  const limits = { ops: fc.integer({ min: 1, max: 20 }), bytes: fc.integer({ min: 1_500, max: 4_000 }) }
  await fc.assert(
    fc.asyncProperty(replayed, fc.record(limits), async (step, limit) => {
      const before = step.kind === 'create' ? undefined : { version: step.version, data: 'before' }
      let seen: { version: number; data: string | undefined } | undefined = before
      for (const { ops } of await packed([[step]], limit)) {
        expect(ops.reduce((sum, op) => sum + opCount(op), 0)).toBeLessThanOrEqual(Math.max(2, limit.ops))
        const writes = ops.flatMap(opsOf)
        expect(writes).toHaveLength(ops.reduce((sum, op) => sum + opCount(op), 0))
        const to = new Writer()
        multi.write(to, writes)
        expect(to.length + 12).toBe(ops.reduce((sum, op) => sum + stepBytes(op), MULTI_BYTES))
        for (const write of writes) {
          if (write.kind === 'delete') seen = undefined
          else if (write.kind === 'create') seen = { version: 0, data: write.data?.toString() }
          else if (write.kind === 'set' && seen) {
            expect([-1, seen.version]).toContain(write.version)
            seen = { version: seen.version + 1, data: write.data?.toString() }
          }
        }
        expect(seen?.data).toBe('data' in step ? step.data?.toString() : undefined)
      }
      const least = step.kind === 'set' ? step.version + 1 : 0
      expect(seen?.version).toBe(Math.max(least, 'upTo' in step ? (step.upTo ?? 0) : 0))
    }),
  )
})

test('batches are full: two neighbours never fit into one', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(change), async changes => {
      const limit = { ops: 7, bytes: 1_500 }
      const creates = changes.filter(({ kind }) => kind !== 'acl')
      const batches = await packed([creates], limit)
      for (const [i, batch] of batches.slice(1).entries()) {
        const before = batches[i] as Batch
        const first = batch.ops[0] as Batch['ops'][number]
        expect(before.ops.length === limit.ops || size(before) + stepBytes(first) > limit.bytes).toBe(true)
      }
    }),
  )
})

test('500 operations of 100 bytes make one multi of 500, not 499 first', async () => {
  const creates = Array.from({ length: 1_000 }, (_, i) => {
    return { kind: 'create', path: `/n${i}`, data: Buffer.alloc(100), acl: OPEN_ACL } as const
  })
  const batches = await packed([creates], { ops: 500, bytes: 512 << 10 })
  expect(batches.map(({ ops }) => ops.length)).toEqual([500, 500])
})
