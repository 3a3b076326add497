import { expect, test } from 'vitest'
import { batchLimit, configChanges, keepLimit } from '../../src/mirror/follow-configs.ts'

const held = { 'retention.ms': '-1', 'max.message.bytes': '1048588' }

test('settings that are as they were ask for nothing', () => {
  const known = { final: { 'segment.ms': '1' }, held }
  expect(configChanges(known, { final: { 'segment.ms': '1' }, held })).toBeUndefined()
})

test('a changed setting is given to the copy at once, one that went away goes back to the default', () => {
  const known = { final: { 'segment.ms': '1', 'flush.ms': '5' }, held }
  expect(configChanges(known, { final: { 'segment.ms': '2' }, held })).toEqual({
    set: { 'segment.ms': '2' },
    removed: ['flush.ms'],
    later: [],
    now: { set: { 'segment.ms': '2' }, delete: ['flush.ms'] },
  })
})

test('a held setting is remembered for the cutover and the copy is left alone', () => {
  const known = { final: { 'retention.ms': '1' }, held }
  expect(configChanges(known, { final: { 'retention.ms': '2' }, held })).toEqual({
    set: { 'retention.ms': '2' },
    removed: [],
    later: ['retention.ms'],
    now: { set: {}, delete: [] },
  })
  expect(configChanges(known, { final: {}, held })).toMatchObject({
    removed: ['retention.ms'],
    later: ['retention.ms'],
    now: { set: {}, delete: [] },
  })
})

test('larger batches on the source raise what the copy takes, at once', () => {
  const known = { final: {}, held }
  const wanted = {
    final: { 'max.message.bytes': '9000000' },
    held: { ...held, 'max.message.bytes': '9000000' },
  }
  expect(configChanges(known, wanted)?.now).toEqual({ set: { 'max.message.bytes': '9000000' }, delete: [] })
})

test('a limit that somebody raised on the target for a record that was refused stays', () => {
  const configs = { final: {}, held }
  expect(batchLimit(keepLimit(configs, '9000000').held)).toBe(9_000_000)
  for (const lower of ['5', '1048588', undefined, null]) expect(keepLimit(configs, lower)).toBe(configs)
  expect(keepLimit({ final: {}, held: {} }, '9000000').held).toEqual({})
})
