import { createHash, createHmac, pbkdf2Sync } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type ScramOptions, scram } from '../../../src/kafka/sasl/scram.ts'

/** What the client says; `serverFirst` and `serverFinal` may look at what it said. */
const talk = async (
  options: ScramOptions,
  serverFirst: (clientFirst: string) => string,
  serverFinal: (clientFinal: string) => string,
): Promise<string[]> => {
  const client = scram(options)
  const first = String((await client.next()).value)
  const final = String((await client.next(Buffer.from(serverFirst(first)))).value)
  const end = await client.next(Buffer.from(serverFinal(final)))
  expect(end.done).toBe(true)
  return [first, final]
}

// RFC 7677, section 3
const examples: [ScramOptions, first: string, client: string, final: string][] = [
  [
    { hash: 'sha256', user: 'user', password: 'pencil', nonce: 'rOprNGfwEbeRWgbNEkqO' },
    'r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096',
    'c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=',
    'v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=',
  ],
]
for (const [options, serverFirst, client, serverFinal] of examples) {
  test(`the exchange of RFC 7677 for ${options.hash} is spoken byte by byte`, async () => {
    const said = await talk(
      options,
      () => serverFirst,
      () => serverFinal,
    )
    expect(said).toEqual([`n,,n=user,r=${options.nonce}`, client])
  })
}

/** A server by RFC 5802, written apart from the client. */
const serve = ({ hash, password }: Pick<ScramOptions, 'hash' | 'password'>, iterations = 4_096) => {
  const salt = Buffer.from('0123456789abcdef', 'hex')
  const size = hash === 'sha256' ? 32 : 64
  const hmac = (key: Buffer, text: string) => createHmac(hash, key).update(text).digest()
  const salted = pbkdf2Sync(password, salt, iterations, size, hash)
  const storedKey = createHash(hash).update(hmac(salted, 'Client Key')).digest()
  const seen = { clientFirst: '', serverFirst: '' }
  return {
    first(clientFirst: string) {
      seen.clientFirst = clientFirst.slice('n,,'.length)
      const nonce = /,r=([^,]*)/.exec(clientFirst)?.[1]
      seen.serverFirst = `r=${nonce}theirs,s=${salt.toString('base64')},i=${iterations}`
      return seen.serverFirst
    },
    final(clientFinal: string) {
      const [, bare = '', proof = ''] = /^(.*),p=(.*)$/.exec(clientFinal) ?? []
      const auth = `${seen.clientFirst},${seen.serverFirst},${bare}`
      const signature = hmac(storedKey, auth)
      const key = Buffer.from(Buffer.from(proof, 'base64').map((byte, i) => byte ^ (signature[i] ?? 0)))
      if (!createHash(hash).update(key).digest().equals(storedKey)) return 'e=invalid-proof'
      return `v=${hmac(hmac(salted, 'Server Key'), auth).toString('base64')}`
    },
  }
}

describe('any user and password', () => {
  for (const hash of ['sha256', 'sha512'] as const) {
    test(`log in by ${hash}, with commas, equals signs and any letters`, async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.string({ unit: 'grapheme', minLength: 1 }),
          fc.string({ unit: 'grapheme' }),
          async (user, password) => {
            const server = serve({ hash, password })
            const [first = ''] = await talk({ hash, user, password }, server.first, server.final)
            const name = /^n,,n=([^,]*),r=/.exec(first)?.[1] ?? ''
            expect(name.replaceAll('=2C', ',').replaceAll('=3D', '=')).toBe(user)
          },
        ),
        { numRuns: 20 },
      )
    })
  }
  test('a wrong password is refused', async () => {
    const server = serve({ hash: 'sha512', password: 'right' })
    await expect(
      talk({ hash: 'sha512', user: 'u', password: 'wrong' }, server.first, server.final),
    ).rejects.toThrow(/the server says invalid-proof/)
  })
  test('a delegation token says that it is one', async () => {
    const server = serve({ hash: 'sha256', password: 'hmac' })
    const options = { hash: 'sha256', user: 'id', password: 'hmac', token: true } as const
    const [first] = await talk(options, server.first, server.final)
    expect(first).toMatch(/,tokenauth=true$/)
  })
})

describe('a server that is not what it should be is not answered', () => {
  const options = { hash: 'sha256', user: 'u', password: 'p', nonce: 'ours' } as const
  const rows: [why: string, first: string, message: RegExp][] = [
    ['another nonce', 'r=other,s=AAAA,i=4096', /nonce does not continue/],
    ['our nonce alone', 'r=ours,s=AAAA,i=4096', /nonce does not continue/],
    ['no salt', 'r=ours1,s=,i=4096', /no salt/],
    ['few iterations', 'r=ours1,s=AAAA,i=4095', /asks for 4095 iterations/],
    ['one iteration', 'r=ours1,s=AAAA,i=1', /asks for 1 iterations/],
    ['endless iterations', 'r=ours1,s=AAAA,i=999999999', /asks for 999999999 iterations/],
    ['no number', 'r=ours1,s=AAAA,i=4096x', /asks for 4096x iterations/],
    ['nothing', '', /nonce does not continue/],
  ]
  for (const [why, first, message] of rows) {
    test(why, async () => {
      await expect(
        talk(
          options,
          () => first,
          () => '',
        ),
      ).rejects.toEqual(
        expect.objectContaining({ code: 'AUTHENTICATION', message: expect.stringMatching(message) }),
      )
    })
  }
  for (const final of ['v=AAAA', 'v=', '', `v=${Buffer.alloc(32).toString('base64')}`]) {
    test(`a signature that does not prove the password: '${final}'`, async () => {
      const server = serve(options)
      await expect(talk(options, server.first, () => final)).rejects.toThrow(/could not prove/)
    })
  }
})
