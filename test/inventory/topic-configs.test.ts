import { describe, expect, test } from 'vitest'
import { planConfigs, releaseOf, type TopicConfig } from '../../src/inventory/index.ts'

const own = (name: string, value: string): TopicConfig => ({ name, value, source: 'dynamic-topic' })
const inherited = (name: string, value: string): TopicConfig => ({ name, value, source: 'static' })
const KNOWN = [
  'cleanup.policy',
  'compression.type',
  'max.message.bytes',
  'message.timestamp.after.max.ms',
  'message.timestamp.type',
  'min.insync.replicas',
  'retention.bytes',
  'retention.ms',
  'segment.bytes',
]
const defaults: TopicConfig[] = KNOWN.map(name => ({
  name,
  value: name === 'max.message.bytes' ? '1048588' : null,
  source: 'default',
}))
const plan = (source: TopicConfig[], replicationFactor = 3) =>
  planConfigs({ source, defaults, replicationFactor })

describe('settings of a copy', () => {
  test('the topic’s own settings are kept in the end, those of the source’s brokers are not copied', () => {
    const { final } = plan([
      own('retention.ms', '1000'),
      own('segment.bytes', '5'),
      inherited('retention.bytes', '7'),
    ])
    expect(final).toEqual({ 'retention.ms': '1000', 'segment.bytes': '5' })
  })

  test('while it is mirrored nothing is deleted, compacted, packed anew or refused for its age', () => {
    const { held } = plan([own('cleanup.policy', 'compact')])
    expect(held).toMatchObject({
      'cleanup.policy': 'delete',
      'retention.ms': '-1',
      'retention.bytes': '-1',
      'compression.type': 'producer',
      'message.timestamp.type': 'CreateTime',
      'message.timestamp.after.max.ms': '9223372036854775807',
    })
  })

  test('a setting that the target does not know is refused by name, and never sent', () => {
    const { final, held, refused } = plan([own('message.format.version', '2.8')])
    expect(final).toEqual({})
    expect(held).not.toHaveProperty('message.timestamp.difference.max.ms')
    expect(refused).toEqual([
      { name: 'message.format.version', value: '2.8', why: expect.stringContaining('does not know') },
    ])
  })

  for (const [inSync, replicas, kept] of [
    ['2', 3, '2'],
    ['2', 1, '1'],
    ['3', 2, '2'],
  ] as const) {
    test(`min.insync.replicas=${inSync} with ${replicas} replicas becomes ${kept}, as more could never be written`, () => {
      const { final, refused } = plan([own('min.insync.replicas', inSync)], replicas)
      expect(final['min.insync.replicas']).toBe(kept)
      expect(refused.length).toBe(kept === inSync ? 0 : 1)
    })
  }

  for (const [source, final, held] of [
    [own('max.message.bytes', '5000000'), '5000000', '5000000'],
    [own('max.message.bytes', '1000'), '1000', '1048588'],
    [inherited('max.message.bytes', '5000000'), '5000000', '5000000'],
    [inherited('max.message.bytes', '1048588'), undefined, '1048588'],
  ] as const) {
    test(`batches up to ${source.value} bytes (${source.source}) fit while mirrored, and ${final ?? 'the default'} is the limit after it`, () => {
      const got = plan([source])
      expect(got.final['max.message.bytes']).toBe(final)
      expect(got.held['max.message.bytes']).toBe(held)
    })
  }

  test('the release sets the source’s values and takes back what was only held', () => {
    const change = releaseOf(plan([own('retention.ms', '1000'), own('segment.bytes', '5')]))
    expect(change.set).toEqual({ 'retention.ms': '1000', 'segment.bytes': '5' })
    expect(change.delete).toContain('cleanup.policy')
    expect(change.delete).not.toContain('retention.ms')
  })
})
