import { inspect } from 'node:util'
import { describe, expect, test } from 'vitest'
import {
  cacheDirectory,
  configDirectory,
  parseProperties,
  Secret,
  stateDirectory,
} from '../../src/config/index.ts'

describe('client properties read as java.util.Properties reads them', () => {
  const rows: [text: string, pairs: [string, string][]][] = [
    ['a=b', [['a', 'b']]],
    ['  a : b c ', [['a', 'b c ']]],
    ['a b=c', [['a', 'b=c']]],
    [
      '# no\n! no\n\na=1\r\nb=2',
      [
        ['a', '1'],
        ['b', '2'],
      ],
    ],
    ['a=1\\\n   2\\\n3', [['a', '123']]],
    [
      'a=1\\\\\nb=2',
      [
        ['a', '1\\'],
        ['b', '2'],
      ],
    ],
    ['a\\=b=\\u0041\\t', [['a=b', 'A\t']]],
    ['a', [['a', '']]],
    ['a=1\na=2', [['a', '2']]],
    ['p=a=b==', [['p', 'a=b==']]],
  ]
  for (const [text, pairs] of rows) {
    test(JSON.stringify(text), () => {
      expect([...parseProperties(text)]).toEqual(pairs)
    })
  }
})

test('a secret shows itself to nobody who does not ask', () => {
  const secret = new Secret('hunter2')
  const shown = [`${secret}`, JSON.stringify({ secret }), inspect({ secret }), String(secret)]
  expect(shown.join()).not.toContain('hunter2')
  expect(secret.reveal()).toBe('hunter2')
})

describe('directories', () => {
  test('follow the flag, then kmig, then XDG, then the home directory', () => {
    const HOME = '/home/x'
    expect(stateDirectory({ env: { HOME } })).toBe('/home/x/.local/state/kmig')
    expect(stateDirectory({ env: { HOME, XDG_STATE_HOME: '/s' } })).toBe('/s/kmig')
    expect(stateDirectory({ env: { HOME, XDG_STATE_HOME: '/s', KMIG_STATE_DIR: '/k' } })).toBe('/k')
    expect(stateDirectory({ flag: '/f', env: { HOME, KMIG_STATE_DIR: '/k' } })).toBe('/f')
    expect(cacheDirectory({ HOME })).toBe('/home/x/.cache/kmig')
    expect(cacheDirectory({ HOME, XDG_CACHE_HOME: '/c' })).toBe('/c/kmig')
    expect(configDirectory({ HOME, XDG_CONFIG_HOME: '' })).toBe('/home/x/.config/kmig')
  })
})
