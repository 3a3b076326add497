import { expect, test } from 'vitest'
import { encodeBatch } from '../../src/kafka/index.ts'
import { epochsIn, SourceEpochs } from '../../src/mirror/epochs.ts'

const batch = (base: bigint, epoch: number): Buffer => {
  const bytes = Buffer.from(encodeBatch([{ value: Buffer.from('x') }, { value: Buffer.from('y') }]))
  bytes.writeBigInt64BE(base, 0)
  bytes.writeInt32BE(epoch, 12)
  return bytes
}

test('the leader epochs of a record set are read from its whole batches, in order', () => {
  const set = Buffer.concat([batch(10n, 3), batch(12n, 3), batch(14n, 5), batch(16n, 6).subarray(0, 40)])
  expect(epochsIn(set, 10n)).toEqual([
    { from: 10n, epoch: 3 },
    { from: 14n, epoch: 5 },
  ])
})

test('between two epochs the epoch of offsets that hold nothing is not known', () => {
  const set = Buffer.concat([batch(10n, 3), batch(20n, 3), batch(30n, 5)])
  expect(epochsIn(set, 8n)).toEqual([
    { from: 8n, epoch: -1 },
    { from: 10n, epoch: 3 },
    { from: 22n, epoch: -1 },
    { from: 30n, epoch: 5 },
  ])
})

const FIRST = [
  { from: 0n, epoch: 1 },
  { from: 50n, epoch: 2 },
]
const seen = () => {
  const epochs = new SourceEpochs()
  epochs.saw(FIRST)
  epochs.saw([
    { from: 80n, epoch: 2 },
    { from: 90n, epoch: 7 },
  ])
  return epochs
}

for (const [offset, epoch] of [
  [0n, -1],
  [1n, 1],
  [50n, 1],
  [51n, 2],
  [90n, 2],
  [200n, 7],
] as const)
  test(`the record before ${offset} was written in epoch ${epoch}`, () =>
    expect(seen().before(offset)).toBe(epoch))

for (const [epoch, endOffset, common] of [
  [7, 120n, 120n],
  [2, 70n, 70n],
  [2, 95n, 90n],
  [1, 60n, 50n],
] as const)
  test(`a leader whose log ends epoch ${epoch} at ${endOffset} has the first ${common} offsets in common`, () =>
    expect(seen().common({ epoch, endOffset }, 130n)).toBe(common))

const keep = (epochs: SourceEpochs) => {
  const unkept = epochs.unkept()
  unkept?.kept()
  return unkept?.starts
}

test('nothing of an epoch is sent before that is kept, and what is kept tells the epochs after a crash', () => {
  const epochs = seen()
  expect(epochs.bar).toBe(0n)
  const kept = keep(epochs)
  expect(epochs.bar).toBeUndefined()
  const again = new SourceEpochs(kept)
  expect([again.before(51n), again.before(95n), again.bar]).toEqual([2, 7, undefined])
  again.saw([{ from: 95n, epoch: 7 }])
  expect(again.bar).toBeUndefined()
  again.saw([
    { from: 97n, epoch: 7 },
    { from: 99n, epoch: 8 },
  ])
  expect(again.bar).toBe(99n)
})

test('what could not be kept is kept the next time, with what was read in between', () => {
  const epochs = seen()
  epochs.unkept()
  epochs.saw([{ from: 100n, epoch: 9 }])
  expect(epochs.bar).toBe(0n)
  expect(keep(epochs)).toContainEqual({ from: 100n, epoch: 9 })
  expect(epochs.bar).toBeUndefined()
})

test('a source that is read again and has become another takes the place of what was read before', () => {
  const epochs = seen()
  keep(epochs)
  epochs.saw([
    { from: 70n, epoch: 2 },
    { from: 94n, epoch: 9 },
  ])
  expect(epochs.bar).toBe(90n)
  expect([epochs.before(94n), epochs.before(95n)]).toEqual([2, 9])
  expect(keep(epochs)).toEqual([...FIRST, { from: 94n, epoch: 9 }])
})

test('a gap within one epoch is of that epoch, one between two of none', () => {
  const epochs = new SourceEpochs([{ from: 0n, epoch: 3 }])
  epochs.saw([
    { from: 100n, epoch: -1 },
    { from: 110n, epoch: 3 },
  ])
  expect([epochs.before(105n), epochs.bar]).toEqual([3, undefined])
  epochs.saw([
    { from: 200n, epoch: -1 },
    { from: 210n, epoch: 5 },
  ])
  expect([epochs.before(200n), epochs.before(205n), epochs.before(211n)]).toEqual([3, -1, 5])
})
