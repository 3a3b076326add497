import { describe, expect, test } from 'vitest'
import {
  type At,
  array,
  between,
  type Field,
  int8,
  int32,
  nullableArray,
  optional,
  Reader,
  since,
  string,
  struct,
  tagged,
  until,
  Writer,
} from '../../src/wire/index.ts'

const bytesOf = <In>(field: Field<unknown, In>, value: In, at: At) => {
  const writer = new Writer()
  field.write(writer, value, at)
  return [...writer.toBuffer()]
}
const readBack = <Out>(field: Field<Out, never>, bytes: number[], at: At): Out =>
  field.read(new Reader(Buffer.from(bytes)), at)

const message = struct({
  id: int8,
  old: until(1, int8, 7),
  fresh: since(2, int8, -1),
  middle: between(1, 2, int8, -2),
  mode: optional(int8, 3),
  names: array(string),
  extra: tagged(1, struct({ n: int32 }), 3),
})
const plain = (version: number): At => ({ version, flexible: false })
const flexible = (version: number): At => ({ version, flexible: true })

describe('a struct writes what its version has and reads defaults for the rest', () => {
  const read = { id: 1, old: 7, fresh: -1, middle: -2, mode: 3, names: ['a'], extra: undefined }
  const rows: [string, At, number[], object][] = [
    ['version 0', plain(0), [1, 7, 3, 0, 0, 0, 1, 0, 1, 97], { old: 7 }],
    ['version 1', plain(1), [1, 7, -2, 3, 0, 0, 0, 1, 0, 1, 97], {}],
    ['version 2', plain(2), [1, 9, -2, 3, 0, 0, 0, 1, 0, 1, 97], { fresh: 9 }],
    ['version 3, flexible, no tag', flexible(3), [1, 9, 3, 2, 2, 97, 0], { fresh: 9 }],
  ]
  for (const [name, at, expected, differs] of rows) {
    test(name, () => {
      const bytes = expected.map(n => n & 0xff)
      expect(bytesOf(message, { id: 1, names: ['a'], ...differs }, at)).toEqual(bytes)
      expect(readBack(message, bytes, at)).toEqual({ ...read, ...differs })
    })
  }
})

describe('tags of the flexible form', () => {
  const head = [1, 9, 3, 1]
  test('a tagged field is written with its number and length', () => {
    const bytes = [...head, 1, 1, 5, 0, 0, 0, 5, 0]
    expect(bytesOf(message, { id: 1, fresh: 9, names: [], extra: { n: 5 } }, flexible(3))).toEqual(bytes)
    expect(readBack(message, bytes, flexible(3)).extra).toEqual({ n: 5 })
  })
  test('unknown tags are skipped, known ones between them are read', () => {
    const bytes = [...head, 3, 0, 2, 8, 8, 1, 5, 0, 0, 0, 5, 0, 9, 1, 8]
    expect(readBack(message, bytes, flexible(3)).extra).toEqual({ n: 5 })
  })
  test('a tag whose content reaches past its length is refused', () => {
    expect(() => readBack(message, [...head, 1, 1, 2, 0, 0, 0, 5, 0], flexible(3))).toThrow(/past its length/)
  })
})

test('a null array is told from an empty one, in both forms', () => {
  const names = nullableArray(string)
  for (const at of [plain(0), flexible(0)]) {
    for (const value of [null, [], ['x', '']]) {
      expect(readBack(names, bytesOf(names, value, at), at)).toEqual(value)
    }
  }
})
