import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import {
  AT,
  ATTRIBUTE,
  crcOf,
  decompress,
  headers,
  isWhole,
  type Recoded,
  recode,
  recordsOf,
  sequenceOf,
  sizeOfBatch,
} from '../../../src/kafka/records/index.ts'
import { Offset } from '../../../src/kit/index.ts'

type Captured = {
  broker: string
  name: string
  aborted: { producerId: string; firstOffset: string }[]
  set: string
  records: [offset: string, timestamp: string, key: string | null, value: string | null][]
}
const captured = JSON.parse(
  readFileSync(new URL('../../../fixtures/wire/sets.json', import.meta.url), 'utf8'),
) as Captured[]

const recoded = ({ set, aborted }: Captured, holes: 'split' | 'squeeze', from = 0n): Recoded =>
  recode(Buffer.from(set, 'hex'), {
    where: 'orders-3',
    from: Offset(from),
    ordinal: 0n,
    stamp: ordinal => ({ producerId: 7n, producerEpoch: 0, baseSequence: sequenceOf(ordinal) }),
    holes,
    aborted: aborted.map(each => ({
      producerId: BigInt(each.producerId),
      firstOffset: BigInt(each.firstOffset),
    })),
    passFrom: { plain: 12 << 10, packed: 4 << 10 },
    mergeTo: 512 << 10,
  })
const read = ({ items }: Recoded) =>
  items.flatMap(item => {
    if (item.kind === 'hole') return []
    const { base, count } = item
    const offsets = (item.runs ?? [{ from: base, count }]).flatMap(({ from, count }) =>
      Array.from({ length: count }, (_, i) => from + BigInt(i)),
    )
    return [...recordsOf(item.bytes)].map(({ timestamp, key, value }, i) => [
      `${offsets[i]}`,
      `${timestamp}`,
      key?.toString('base64') ?? null,
      value?.toString('base64') ?? null,
    ])
  })
const lengthOf = ({ items }: Recoded) =>
  items.reduce((sum, item) => sum + (item.kind === 'hole' ? item.to - item.from : item.end - item.base), 0n)

describe('what real brokers answered, as an ordinary client reads it', () => {
  for (const each of captured) {
    for (const holes of ['split', 'squeeze'] as const) {
      test(`${each.broker} ${each.name}, ${holes}: same offsets, times, keys and values`, () => {
        const got = recoded(each, holes)
        expect(got.stop).toBeUndefined()
        expect(read(got)).toEqual(each.records)
        expect(lengthOf(got)).toBe(got.next)
      })
    }
    test(`${each.broker} ${each.name}, fetched from any offset: nothing before it`, () => {
      const { next } = recoded(each, 'squeeze')
      for (let from = 0n; from < next; from += 3n)
        expect(read(recoded(each, 'squeeze', from))).toEqual(
          each.records.filter(([at]) => BigInt(at) >= from),
        )
    })
  }
})

describe('the captured sets have what they are there for', () => {
  const sets = (name: RegExp) => captured.filter(each => name.test(each.name))
  const entries = ({ set }: Captured) => {
    const bytes = Buffer.from(set, 'hex')
    const found = []
    for (let at = 0; isWhole(bytes, at); at += sizeOfBatch(bytes, at))
      found.push({
        magic: bytes.readInt8(at + AT.magic),
        codec: (bytes[at + AT.magic + 1] ?? 0) & 7,
        at,
        bytes,
      })
    return found
  }
  for (const magic of [0, 1]) {
    test(`format ${magic} in its four codecs, dense and compacted`, () => {
      for (const kind of ['format', 'compacted']) {
        const found = sets(new RegExp(`^${kind}-${magic}-`)).map(each => entries(each))
        expect(new Set(found.flat().map(each => each.magic))).toEqual(new Set([magic]))
        expect(found.map(([first]) => first?.codec).sort()).toEqual([0, 1, 2, 3])
      }
    })
  }
  test('delete horizons in every codec, holes inside batches, log append times, aborted transactions', () => {
    const batches = sets(/compacted-2/).flatMap(({ set }) => [...headers(Buffer.from(set, 'hex'))])
    const horizons = batches.filter(({ header }) => header.attributes & ATTRIBUTE.deleteHorizon)
    expect(new Set(horizons.map(({ header }) => header.attributes & ATTRIBUTE.codec)).size).toBe(5)
    expect(horizons.some(({ header }) => header.count <= header.lastOffsetDelta)).toBe(true)
    const appended = sets(/appended/).flatMap(({ set }) => [...headers(Buffer.from(set, 'hex'))])
    expect(appended.every(({ header }) => header.attributes & ATTRIBUTE.logAppendTime)).toBe(true)
    expect(sets(/transactions/).map(({ aborted }) => aborted.length)).toEqual([4, 4])
  })
  test('lz4 of format 0 has the checksum that its specification forbids', () => {
    const [first] = sets(/format-0-lz4/).flatMap(entries)
    if (!first) throw new Error('no message')
    const value = first.bytes.subarray(first.at + 26, first.at + sizeOfBatch(first.bytes, first.at))
    expect(() => decompress(3, value)).toThrow(expect.objectContaining({ code: 'CORRUPT_BATCH' }))
  })
})

describe('damage on the way', () => {
  for (const each of captured) {
    test(`${each.broker} ${each.name}: a flipped byte stops by name, or is left for the target to refuse, and nothing else comes through`, () => {
      const whole = Buffer.from(each.set, 'hex')
      const known = new Set(each.records.map(([, ...content]) => JSON.stringify(content)))
      for (let at = 16; at < whole.length; at += 13) {
        const set = Buffer.from(whole)
        set[at] = (set[at] ?? 0) ^ 0x10
        const got = recoded({ ...each, set: set.toString('hex') }, 'squeeze')
        if (got.stop) expect(got.stop.code).toBe('CORRUPT_BATCH')
        const taken = got.items.filter(
          item => item.kind === 'piece' && item.bytes.readUInt32BE(AT.crc) === crcOf(item.bytes),
        )
        for (const [, ...content] of read({ ...got, items: taken }))
          expect(known.has(JSON.stringify(content)), `byte ${at}`).toBe(true)
        expect(got.next).toBe(lengthOf(got))
      }
    }, 60_000)
  }
})
