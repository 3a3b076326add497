import { describe, expect, test } from 'vitest'
import {
  ancestorsOf,
  formatConnectString,
  isWithin,
  joinPath,
  parseConnectString,
  pathFault,
} from '../../src/zookeeper/index.ts'

describe('a connect string', () => {
  const good = [
    ['h:2181', [{ host: 'h', port: 2181 }], '/'],
    ['h:2181/', [{ host: 'h', port: 2181 }], '/'],
    [
      'h1:1,h2:2/kafka',
      [
        { host: 'h1', port: 1 },
        { host: 'h2', port: 2 },
      ],
      '/kafka',
    ],
    [
      '[::1]:2181,[fe80::1]:65535/a/b',
      [
        { host: '::1', port: 2181 },
        { host: 'fe80::1', port: 65_535 },
      ],
      '/a/b',
    ],
    [
      '10.0.0.1:2181, 10.0.0.2:2181/größe',
      [
        { host: '10.0.0.1', port: 2181 },
        { host: '10.0.0.2', port: 2181 },
      ],
      '/größe',
    ],
  ] as const
  for (const [text, servers, chroot] of good) {
    test(`${text} is read, and written back so that it reads the same`, () => {
      const address = parseConnectString(text)
      expect(address).toEqual({ servers, chroot })
      expect(parseConnectString(formatConnectString(address))).toEqual(address)
    })
  }
  const bad = [
    ['h', 'has no port'],
    ['h1:2181,h2', "'h2' has no port"],
    ['h1:2181,', 'nothing at entry 2'],
    [':2181', 'has no host'],
    ['h:0', 'not 1..65535'],
    ['h:65536', 'not 1..65535'],
    ['h:x', "port 'x'"],
    ['::1:2181', 'brackets'],
    ['h:2181/a/', 'ends with /'],
    ['h:2181//a', 'an empty name'],
    ['h:2181/a/../b', 'relative name ..'],
    ['h:2181/a\u0000', 'U+0000'],
  ] as const
  for (const [text, why] of bad) {
    test(`${JSON.stringify(text)} is refused, saying: ${why}`, () => {
      expect(() => parseConnectString(text)).toThrow(
        expect.objectContaining({
          code: 'ZK_CONNECT_STRING',
          exit: 2,
          message: expect.stringContaining(why),
        }),
      )
    })
  }
})

describe('paths', () => {
  test('roots and what is below them are joined, / being neutral', () => {
    expect(joinPath('/', '/a')).toBe('/a')
    expect(joinPath('/k', '/')).toBe('/k')
    expect(joinPath('/k', '/a/b')).toBe('/k/a/b')
    expect(joinPath('/', '/')).toBe('/')
  })
  test('/kafka2 does not lie in /kafka, /kafka/a does, all lies in /', () => {
    expect(isWithin('/kafka', '/kafka2')).toBe(false)
    expect(isWithin('/kafka', '/kafka/a')).toBe(true)
    expect(isWithin('/kafka', '/kafka')).toBe(true)
    expect(isWithin('/', '/x')).toBe(true)
  })
  test('the ancestors of a path are what must exist before it', () => {
    expect(ancestorsOf('/a/b/c')).toEqual(['/a', '/a/b'])
    expect(ancestorsOf('/a')).toEqual([])
    expect(ancestorsOf('/')).toEqual([])
  })
  test('a name of three dots is fine, one of two is not', () => {
    expect(pathFault('/a/...')).toBeUndefined()
    expect(pathFault('/a/..')).toContain('..')
  })
})
