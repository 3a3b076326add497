import { describe, expect, test } from 'vitest'
import {
  formatBytes,
  formatCount,
  formatDuration,
  formatRate,
  parseBytes,
  parseDuration,
  plural,
  shortDuration,
} from '../../src/kit/index.ts'

describe('sizes', () => {
  for (const [text, bytes] of [
    ['500000', 500_000],
    ['10MB', 10_000_000],
    ['1.5G', 1_500_000_000],
    ['2k', 2_000],
  ] as const)
    test(`${text} is ${bytes} bytes`, () => expect(parseBytes(text)).toBe(bytes))
  for (const text of ['', '0', '-1', 'MB', '64MiB', '1MBps', '1e9'])
    test(`'${text}' is no size`, () => {
      expect(() => parseBytes(text)).toThrow(expect.objectContaining({ code: 'USAGE' }))
    })
})

describe('durations', () => {
  const rows: [string, number][] = [
    ['0s', 0],
    ['500ms', 500],
    ['10s', 10_000],
    ['1.5s', 1_500],
    ['2m', 120_000],
    ['1h30m', 5_400_000],
    ['7d', 604_800_000],
  ]
  for (const [text, ms] of rows) test(`${text} is ${ms} ms`, () => expect(parseDuration(text)).toBe(ms))
  for (const text of ['', '10', 's', '-1s', '10 s', '1x', '1s!', '1d,2h']) {
    test(`'${text}' is no duration`, () => {
      expect(() => parseDuration(text)).toThrow(expect.objectContaining({ code: 'USAGE' }))
    })
  }
  test('are written back in their largest whole unit', () => {
    expect([500, 10_000, 90_000, 120_000, 86_400_000].map(shortDuration)).toEqual([
      '500ms',
      '10s',
      '90s',
      '2m',
      '1d',
    ])
  })
  test('are shown in two units at most', () => {
    expect([850, 12_340, 245_000, 12_000_000, 187_200_000].map(formatDuration)).toEqual([
      '850 ms',
      '12.3 s',
      '4 m 05 s',
      '3 h 20 m',
      '2 d 04 h',
    ])
  })
})

test('bytes, rates and counts are short', () => {
  expect([0, 999, 1_000, 1_499_000, 5n * 10n ** 18n].map(formatBytes)).toEqual([
    '0 B',
    '999 B',
    '1.0 kB',
    '1.5 MB',
    '5000.0 PB',
  ])
  expect(formatRate(5_000_000, 2_000)).toBe('2.5 MB/s')
  expect(formatCount(1_234_567n)).toBe('1,234,567')
  expect([plural(1, 'topic'), plural(0n, 'topic'), plural(1_000, 'record')]).toEqual([
    '1 topic',
    '0 topics',
    '1,000 records',
  ])
})
