import { expect, test } from 'vitest'
import { Secret } from '../../src/config/index.ts'
import { digestMd5 } from '../../src/zookeeper/sasl.ts'

const login = { user: 'chris', password: new Secret('secret') }
const challenge =
  'realm="elwood.innosoft.com",nonce="OA6MG9tEQGm2hh",qop="auth",algorithm=md5-sess,charset=utf-8'

test('the example of RFC 2831 gives its response and its proof', () => {
  const options = { cnonce: 'OA6MHXh6VqTrRk', uri: 'imap/elwood.innosoft.com' }
  const { response, proof } = digestMd5(login, challenge, options)
  expect(response).toContain('response=d388dad90d4bbd760a152321f2143af7')
  expect(response).toContain(
    'username="chris",realm="elwood.innosoft.com",nonce="OA6MG9tEQGm2hh",nc=00000001',
  )
  expect(proof).toBe('rspauth=ea40f60335c427b5527b84dbabcdfffd')
})

test('each login has its own nonce, a password is not shown, and quotes in names are escaped', () => {
  const [one, other] = [digestMd5(login, challenge), digestMd5(login, challenge)]
  expect(one.response).not.toBe(other.response)
  expect(one.response).not.toContain('secret')
  expect(digestMd5({ ...login, user: 'a"b' }, challenge).response).toContain('username="a\\"b"')
})

for (const text of ['', 'realm="x"', 'nonce="n",algorithm=md5']) {
  test(`'${text}' is no challenge`, () => {
    expect(() => digestMd5(login, text)).toThrow(expect.objectContaining({ code: 'AUTHENTICATION' }))
  })
}
