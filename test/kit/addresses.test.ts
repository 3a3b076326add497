import { describe, expect, test } from 'vitest'
import { formatHostPort, parseBootstrap } from '../../src/kit/index.ts'

describe('addresses are read', () => {
  const rows: [string, string[]][] = [
    ['127.1.0.1:9092', ['127.1.0.1:9092']],
    ['a:1,b.example.com:65535', ['a:1', 'b.example.com:65535']],
    [' a:1 , b:2 ', ['a:1', 'b:2']],
    ['[::1]:9092,[fe80::1%eth0]:1', ['[::1]:9092', '[fe80::1%eth0]:1']],
    ['a:1,a:1', ['a:1']],
  ]
  for (const [text, expected] of rows) {
    test(text, () => expect(parseBootstrap(text).map(formatHostPort)).toEqual(expected))
  }
})

describe('addresses that are wrong say what and where', () => {
  const rows: [string, RegExp][] = [
    ['', /nothing at entry 1/],
    ['a:1,,b:2', /nothing at entry 2/],
    ['a', /'a' has no port/],
    ['a:', /has no port/],
    [':9092', /has no host/],
    ['a:1,b:0', /'b:0' has port '0', which is not 1..65535, in 'a:1,b:0'/],
    ['a:99999', /'99999'/],
    ['a:1x', /'1x'/],
    ['::1:9092', /needs brackets/],
    ['[abc]:1', /bracketed IPv6/],
    ['http://a:1', /is not host:port/],
    ['a b:1', /has a host that is not a name/],
    ['old/kafka:2181', /has a host that is not a name/],
  ]
  for (const [text, expected] of rows) {
    test(`'${text}'`, () =>
      expect(() => parseBootstrap(text)).toThrow(
        expect.objectContaining({ code: 'BAD_ADDRESS', message: expect.stringMatching(expected) }),
      ))
  }
})
