import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Reader, Writer } from '../../src/wire/index.ts'

const int = (bits: number) => fc.integer({ min: -(2 ** (bits - 1)), max: 2 ** (bits - 1) - 1 })
const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
const text = fc.string({ unit: 'grapheme', maxLength: 300 })
const buffer = fc.uint8Array({ maxLength: 9_000 }).map((a): Buffer => Buffer.from(a))
const orNull = <T>(values: fc.Arbitrary<T>) => fc.option(values, { nil: null })

type Row<T> = {
  values: fc.Arbitrary<T>
  write: (w: Writer, value: T) => void
  read: (r: Reader) => T
}
const row = <T>(values: fc.Arbitrary<T>, write: Row<T>['write'], read: Row<T>['read']): Row<unknown> =>
  ({ values, write, read }) as unknown as Row<unknown>

const ROWS: Record<string, Row<unknown>> = {
  int8: row(
    int(8),
    (w, v) => w.int8(v),
    r => r.int8(),
  ),
  int16: row(
    int(16),
    (w, v) => w.int16(v),
    r => r.int16(),
  ),
  int32: row(
    int(32),
    (w, v) => w.int32(v),
    r => r.int32(),
  ),
  int64: row(
    int64,
    (w, v) => w.int64(v),
    r => r.int64(),
  ),
  uint32: row(
    fc.nat(2 ** 32 - 1),
    (w, v) => w.uint32(v),
    r => r.uint32(),
  ),
  uint16: row(
    fc.nat(65_535),
    (w, v) => w.uint16(v),
    r => r.uint16(),
  ),
  float64: row(
    fc.double(),
    (w, v) => w.float64(v),
    r => r.float64(),
  ),
  bool: row(
    fc.boolean(),
    (w, v) => w.bool(v),
    r => r.bool(),
  ),
  unsignedVarint: row(
    fc.nat(2 ** 32 - 1),
    (w, v) => w.unsignedVarint(v),
    r => r.unsignedVarint(),
  ),
  varint: row(
    int(32),
    (w, v) => w.varint(v),
    r => r.varint(),
  ),
  varlong: row(
    int64,
    (w, v) => w.varlong(v),
    r => r.varlong(),
  ),
  uuid: row(
    fc.uint8Array({ minLength: 16, maxLength: 16 }).map(a => Buffer.from(a).toString('base64url')),
    (w, v) => w.uuid(v),
    r => r.uuid(),
  ),
  string16: row(
    text,
    (w, v) => w.string16(v),
    r => r.string16(),
  ),
  nullableString16: row(
    orNull(text),
    (w, v) => w.nullableString16(v),
    r => r.nullableString16(),
  ),
  string32: row(
    text,
    (w, v) => w.string32(v),
    r => r.string32(),
  ),
  nullableString32: row(
    orNull(text),
    (w, v) => w.nullableString32(v),
    r => r.nullableString32(),
  ),
  compactString: row(
    text,
    (w, v) => w.compactString(v),
    r => r.compactString(),
  ),
  compactNullableString: row(
    orNull(text),
    (w, v) => w.compactNullableString(v),
    r => r.compactNullableString(),
  ),
  bytes32: row(
    buffer,
    (w, v) => w.bytes32(v),
    r => r.bytes32(),
  ),
  nullableBytes32: row(
    orNull(buffer),
    (w, v) => w.nullableBytes32(v),
    r => r.nullableBytes32(),
  ),
  compactBytes: row(
    buffer,
    (w, v) => w.compactBytes(v),
    r => r.compactBytes(),
  ),
  compactNullableBytes: row(
    orNull(buffer),
    (w, v) => w.compactNullableBytes(v),
    r => r.compactNullableBytes(),
  ),
  array32: row(
    fc.array(int(32)),
    (w, v) => w.array32(v, i => w.int32(i)),
    r => r.array32(() => r.int32()),
  ),
  compactNullableArray: row(
    orNull(fc.array(text)),
    (w, v) => w.compactNullableArray(v, i => w.compactString(i)),
    r => r.compactNullableArray(() => r.compactString()),
  ),
}

describe('what is written is read back', () => {
  for (const [name, { values, write, read }] of Object.entries(ROWS)) {
    test(name, () => {
      fc.assert(
        fc.property(values, value => {
          const writer = new Writer(1)
          write(writer, value)
          const reader = new Reader(writer.toBuffer())
          expect(read(reader)).toEqual(value)
          expect(reader.left).toBe(0)
        }),
      )
    })
  }

  test('any mixture of values, in order, whatever buffer growth and splices lie between', () => {
    const step = fc.constantFrom(...Object.values(ROWS)).chain(r => r.values.map(value => ({ r, value })))
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), steps => {
        const writer = new Writer(1)
        for (const { r, value } of steps) r.write(writer, value)
        const pieces = Buffer.concat(writer.finish())
        expect(writer.length).toBe(pieces.length)
        const reader = new Reader(pieces)
        for (const { r, value } of steps) expect(r.read(reader)).toEqual(value)
        expect(reader.left).toBe(0)
      }),
    )
  })
})

describe('bytes are not copied', () => {
  test('a big buffer that is written is the very piece that is sent', () => {
    const big = Buffer.alloc(100_000, 7)
    expect(new Writer().int32(1).bytes32(big).int32(2).finish()[1]).toBe(big)
  })
  test('a buffer that is read is a view of the frame', () => {
    const frame = new Writer().bytes32(Buffer.alloc(10_000)).toBuffer()
    expect(new Reader(frame).bytes32().buffer).toBe(frame.buffer)
  })
})

describe('bytes that do not fit are refused with their place', () => {
  const rows: [string, number[], (r: Reader) => unknown][] = [
    ['an int32 of three bytes', [0, 0, 0], r => r.int32()],
    ['a string longer than the frame', [0, 9, 65], r => r.string16()],
    ['a null string where none may be', [0xff, 0xff], r => r.string16()],
    ['a length below -1', [0xff, 0xff, 0xff, 0xfe], r => r.nullableBytes32()],
    ['an array of more items than bytes', [0x7f, 0xff, 0xff, 0xff, 0], r => r.array32(() => r.int8())],
    ['a varint that never ends', [0xff, 0xff, 0xff, 0xff, 0xff, 0xff], r => r.unsignedVarint()],
    ['a varint over 32 bits', [0xff, 0xff, 0xff, 0xff, 0x7f], r => r.unsignedVarint()],
    ['a varlong over 64 bits', [...Array(9).fill(0xff), 0x7f], r => r.varlong()],
  ]
  for (const [name, bytes, read] of rows) {
    test(name, () => {
      expect(() => read(new Reader(Buffer.from(bytes)))).toThrow(
        expect.objectContaining({ code: 'PROTOCOL', message: expect.stringMatching(/at byte \d+ of \d+$/) }),
      )
    })
  }
})
