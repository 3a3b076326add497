import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { ApiVersions, isAtLeast, versionOf } from '../../src/kafka/index.ts'
import { Reader } from '../../src/wire/index.ts'

type Recorded = { api: string; version: number; response: string }

for (const [broker, least] of [
  ['2.8.2', '2.8'],
  ['3.9.2', '3.9'],
  ['4.3.1', '4.1'],
] as const) {
  test(`Kafka ${broker} is told by its APIs to be at least ${least}`, () => {
    const file = new URL(`../../fixtures/wire/kafka-${broker}.json`, import.meta.url)
    const rows = (JSON.parse(readFileSync(file, 'utf8')) as Recorded[]).filter(
      ({ api }) => api === 'ApiVersions',
    )
    for (const { version, response } of rows) {
      const from = new Reader(Buffer.from(response, 'hex'))
      from.int32()
      const { apiKeys } = ApiVersions.response.read(from, {
        version,
        flexible: version >= ApiVersions.flexibleFrom,
      })
      expect(versionOf(apiKeys)).toBe(least)
    }
  })
}
test('versions compare by number, not by letter', () => {
  const rows = [
    ['3.10', '3.9', true],
    ['3.7', '3.7', true],
    ['2.8', '3.7', false],
    ['4.0', '3.9', true],
  ] as const
  for (const [version, least, is] of rows) expect(isAtLeast(version, least)).toBe(is)
})
test('a broker that speaks none of it is one before 2.4', () => expect(versionOf([])).toBe('2.3'))
