import { describe, expect, test } from 'vitest'
import {
  learnLimit,
  limitsSeenIn,
  noLimits,
  planConfigs,
  type TopicConfig,
} from '../../src/inventory/index.ts'

const said = (text: string) => `creation of topic 'a': INVALID_CONFIG (40): ${text}`
const LEAST = said('Invalid value 1024 for configuration segment.bytes: Value must be at least 1048576')
const own = (name: string, value: string): TopicConfig => ({ name, value, source: 'dynamic-topic' })
const defaults = ['segment.bytes', 'cleanup.policy', 'remote.storage.enable'].map(name => own(name, ''))

describe('a setting that the target refuses', () => {
  test('is raised to the least that it takes, with the reason; a larger one stays', () => {
    const limits = noLimits()
    expect(learnLimit(limits, { 'segment.bytes': '1024' }, LEAST)).toBe(true)
    const plan = (value: string) =>
      planConfigs({ source: [own('segment.bytes', value)], defaults, replicationFactor: 1, limits })
    expect(plan('1024').final).toEqual({ 'segment.bytes': '1048576' })
    expect(plan('1024').refused).toEqual([
      { name: 'segment.bytes', value: '1024', why: expect.stringContaining('1048576') },
    ])
    expect(plan('2000000')).toMatchObject({ final: { 'segment.bytes': '2000000' }, refused: [] })
  })
  test('is lowered to the most that it takes', () => {
    const limits = noLimits()
    const text = said('Invalid value 9 for configuration segment.bytes: Value must be no more than 5')
    expect(learnLimit(limits, { 'segment.bytes': '9' }, text)).toBe(true)
    const source = [own('segment.bytes', '9')]
    expect(planConfigs({ source, defaults, replicationFactor: 1, limits }).final).toEqual({
      'segment.bytes': '5',
    })
  })
  for (const text of [
    said('Invalid value x for configuration cleanup.policy: String must be one of: compact, delete'),
    said('Unknown topic config name: cleanup.policy'),
  ]) {
    test(`is left out by name where no other value can be told: ${text}`, () => {
      const limits = noLimits()
      expect(learnLimit(limits, { 'cleanup.policy': 'x' }, text)).toBe(true)
      const plan = planConfigs({
        source: [own('cleanup.policy', 'x')],
        defaults,
        replicationFactor: 1,
        limits,
      })
      expect(plan.final).toEqual({})
      expect(plan.refused).toEqual([
        { name: 'cleanup.policy', value: 'x', why: expect.stringContaining('the target refuses it') },
      ])
    })
  }
  test('what names no setting that was asked for teaches nothing', () => {
    const limits = noLimits()
    expect(learnLimit(limits, {}, LEAST)).toBe(false)
    expect(learnLimit(limits, { a: '1' }, said('Tiered Storage functionality is disabled'))).toBe(false)
    expect(limits).toEqual(noLimits())
  })
  test('a bound that does not help is no reason to ask for ever: the value is left out', () => {
    const limits = noLimits()
    const again = said(
      'Invalid value 1048576 for configuration segment.bytes: Value must be at least 1048576',
    )
    expect(learnLimit(limits, { 'segment.bytes': '1048576' }, again)).toBe(true)
    const source = [own('segment.bytes', '1048576')]
    expect(planConfigs({ source, defaults, replicationFactor: 1, limits }).final).toEqual({})
  })

  test('a copy that has the least segment that Kafka 4 takes is as it should be; one that has another is not', () => {
    const source = [own('segment.bytes', '1024')]
    const wanted = (value: string) =>
      planConfigs({
        source,
        defaults,
        replicationFactor: 1,
        limits: limitsSeenIn([own('segment.bytes', value)]),
      })
    expect(wanted('1048576').final).toEqual({ 'segment.bytes': '1048576' })
    expect(wanted('2048').final).toEqual({ 'segment.bytes': '1024' })
  })
})
