import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { FetchById } from '../../src/kafka/index.ts'
import { Reader, Writer } from '../../src/wire/index.ts'
import type { Definition, FieldDefinition } from './definitions.ts'
import { TABLES } from './fake-broker.ts'

const DEFINITIONS = JSON.parse(
  readFileSync(new URL('../../fixtures/wire/definitions.json', import.meta.url), 'utf8'),
) as Definition[]

const covers = (versions: string | undefined, version: number): boolean => {
  if (versions === undefined || versions === 'none') return false
  const [first = 0, last] = versions.endsWith('+')
    ? [Number(versions.slice(0, -1)), Number.POSITIVE_INFINITY]
    : versions.split('-').map(Number)
  return version >= first && version <= (last ?? first)
}

type Shape = {
  version: number
  flexible: boolean
  nulls: boolean
  tags: boolean
  pick: (below: number) => number
}

const writeValue = (to: Writer, field: FieldDefinition, shape: Shape): void => {
  const { type } = field
  const { version, flexible, pick } = shape
  const isNull = shape.nulls && covers(field.nullableVersions, version) && pick(3) === 0
  const length = (short: boolean, n: number) =>
    flexible ? to.unsignedVarint(n + 1) : short ? to.int16(n) : to.int32(n)
  if (type.startsWith('[]')) {
    const count = isNull ? -1 : pick(3)
    length(false, count)
    for (let i = 0; i < count; i++)
      writeValue(to, { ...field, type: type.slice(2), nullableVersions: 'none' }, shape)
    return
  }
  switch (type) {
    case 'bool':
      return void to.int8(pick(2))
    case 'int8':
      return void to.int8(pick(256) - 128)
    case 'int16':
      return void to.int16(pick(65_536) - 32_768)
    case 'int32':
      return void to.int32(pick(2 ** 31))
    case 'int64':
      return void to.int64(BigInt(pick(2 ** 31)) * BigInt(pick(2 ** 31)))
    case 'float64':
      return void to.float64(pick(2 ** 31) / 8)
    case 'uuid':
      return void to.raw(Buffer.from(Array.from({ length: 16 }, () => pick(256))))
    case 'string':
    case 'bytes':
    case 'records': {
      const bytes = isNull ? -1 : pick(200)
      length(type === 'string', bytes)
      return void to.raw(Buffer.alloc(Math.max(0, bytes), 97 + pick(26)))
    }
    default:
      writeStruct(to, field.fields ?? [], shape)
  }
}

const writeStruct = (to: Writer, fields: FieldDefinition[], shape: Shape): void => {
  const { version, flexible, pick } = shape
  const here = fields.filter(({ versions }) => covers(versions, version))
  const isTagged = (field: FieldDefinition) => flexible && covers(field.taggedVersions, version)
  for (const field of here.filter(each => !isTagged(each))) writeValue(to, field, shape)
  if (!flexible) return
  const tagged = shape.tags ? here.filter(each => isTagged(each) && pick(2) === 0) : []
  to.unsignedVarint(tagged.length)
  for (const field of tagged.sort((a, b) => (a.tag ?? 0) - (b.tag ?? 0))) {
    const inner = new Writer()
    writeValue(inner, field, shape)
    to.unsignedVarint(field.tag ?? 0)
      .unsignedVarint(inner.length)
      .raw(inner.toBuffer())
  }
}

describe("the tables agree with Apache Kafka's own definitions", () => {
  test('on names, keys and flexible versions', () => {
    const theirs = DEFINITIONS.map(({ api, key, flexibleVersions }) => ({
      name: api,
      key,
      flexibleFrom:
        flexibleVersions === 'none' ? Number.POSITIVE_INFINITY : Number.parseInt(flexibleVersions, 10),
    }))
    const ours = TABLES.map(({ name, key, flexibleFrom }) => ({ name, key, flexibleFrom }))
    const byKey = (rows: typeof ours) => rows.toSorted((a, b) => a.key - b.key)
    expect(byKey(ours)).toEqual(byKey(theirs))
  })

  for (const table of [...TABLES, FetchById]) {
    const definition = DEFINITIONS.find(({ api }) => api === table.name)
    for (let version = table.versions[0]; version <= table.versions[1]; version++) {
      const at = { version, flexible: version >= table.flexibleFrom }
      for (const side of ['request', 'response'] as const) {
        const message = (seed: number, tags: boolean): Buffer => {
          let state = seed
          const pick = (below: number) => {
            state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9) >>> 0
            return Math.floor((state / 2 ** 32) * below)
          }
          const to = new Writer()
          writeStruct(to, definition?.[side] ?? [], { ...at, nulls: side === 'response', tags, pick })
          return to.toBuffer()
        }
        test(`${table.name} v${version} ${side}: any message is read to its end and written back as it was`, () => {
          fc.assert(
            fc.property(fc.nat(), seed => {
              const bytes = message(seed, false)
              const from = new Reader(bytes)
              const value = table[side].read(from, at)
              expect(from.left).toBe(0)
              const to = new Writer()
              table[side].write(to, value as never, at)
              expect(to.toBuffer().equals(bytes)).toBe(true)
              const tagged = new Reader(message(seed, true))
              table[side].read(tagged, at)
              expect(tagged.left).toBe(0)
            }),
            { numRuns: 40 },
          )
        })
      }
    }
  }
})
