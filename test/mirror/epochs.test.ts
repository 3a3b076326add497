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
  expect(epochsIn(set)).toEqual({
    epochs: [
      { from: 10n, epoch: 3 },
      { from: 14n, epoch: 5 },
    ],
    end: 16n,
  })
})

const seen = () => {
  const epochs = new SourceEpochs()
  epochs.saw({
    epochs: [
      { from: 0n, epoch: 1 },
      { from: 50n, epoch: 2 },
    ],
    end: 80n,
  })
  epochs.saw({
    epochs: [
      { from: 80n, epoch: 2 },
      { from: 90n, epoch: 7 },
    ],
    end: 200n,
  })
  return epochs
}

for (const [offset, epoch] of [
  [0n, -1],
  [1n, 1],
  [50n, 1],
  [51n, 2],
  [90n, 2],
  [200n, 7],
  [201n, -1],
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

test('after a start the epoch is known at the kept offset, not beyond it, and again once records were read', () => {
  const epochs = new SourceEpochs()
  epochs.resume({ offset: 100n, source: 4 })
  expect([epochs.before(100n), epochs.before(120n)]).toEqual([4, -1])
  epochs.saw({ epochs: [{ from: 120n, epoch: 6 }], end: 130n })
  expect([epochs.before(130n), epochs.before(110n)]).toEqual([6, -1])
})
