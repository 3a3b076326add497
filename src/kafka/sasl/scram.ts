import { createHash, createHmac, pbkdf2, randomBytes, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'
import { KmigError } from '../../kit/index.ts'

const stretch = promisify(pbkdf2)

/** A smaller count makes a stolen exchange cheap to crack, so a server that asks for one is not answered (RFC 7677). */
const LEAST_ITERATIONS = 4_096
/** Kafka's own limit is 16,384; this bounds what a false server can make us compute. */
const MOST_ITERATIONS = 1_000_000

export type ScramOptions = {
  hash: 'sha256' | 'sha512'
  user: string
  password: string
  /** A delegation token logs in. Source: KIP-48. */
  token?: boolean | undefined
  /** Default 24 random bytes; given only to try the examples of the RFCs. */
  nonce?: string | undefined
}

const refused = (what: string): KmigError =>
  new KmigError('AUTHENTICATION', `SCRAM: ${what}`, {
    try: [
      'check that the address is a broker of this cluster and not somebody else who answers in its place',
    ],
  })

/** `a=b,c=d` by its letters. Values may hold `=`. */
const fieldsOf = (message: Buffer): Map<string, string> =>
  new Map(
    message
      .toString('utf8')
      .split(',')
      .map(field => [field.slice(0, 1), field.slice(2)] as const),
  )

/** Names are sent with `,` and `=` escaped. Kafka prepares neither name nor password (no SASLprep). */
const saslName = (name: string): string => name.replaceAll('=', '=3D').replaceAll(',', '=2C')

/**
 * The client's side of SCRAM: yields what is sent, is given what comes back, and ends when the server has proved that it
 * knows the password too. Throws AUTHENTICATION. Source: RFC 5802, RFC 7677, org.apache.kafka.common.security.scram.
 */
export async function* scram(options: ScramOptions): AsyncGenerator<Buffer, void, Buffer> {
  const { hash, user, password, token, nonce = randomBytes(24).toString('base64') } = options
  const hmac = (key: Buffer, text: string) => createHmac(hash, key).update(text).digest()
  const size = hash === 'sha256' ? 32 : 64

  const clientFirst = `n=${saslName(user)},r=${nonce}${token ? ',tokenauth=true' : ''}`
  const serverFirst = yield Buffer.from(`n,,${clientFirst}`)
  const offer = fieldsOf(serverFirst)
  const [both = '', salt = '', count = ''] = ['r', 's', 'i'].map(letter => offer.get(letter))
  const iterations = /^\d{1,9}$/.test(count) ? Number(count) : 0
  if (!both.startsWith(nonce) || both === nonce) throw refused("the server's nonce does not continue ours")
  if (salt === '') throw refused('the server sent no salt')
  if (iterations < LEAST_ITERATIONS || iterations > MOST_ITERATIONS) {
    throw refused(
      `the server asks for ${count || 'no'} iterations, not ${LEAST_ITERATIONS}..${MOST_ITERATIONS}`,
    )
  }

  const salted = await stretch(password, Buffer.from(salt, 'base64'), iterations, size, hash)
  const clientKey = hmac(salted, 'Client Key')
  const bare = `c=biws,r=${both}`
  const exchange = `${clientFirst},${serverFirst.toString('utf8')},${bare}`
  const signature = hmac(createHash(hash).update(clientKey).digest(), exchange)
  const proof = Buffer.from(clientKey.map((byte, i) => byte ^ (signature[i] ?? 0)))

  const end = fieldsOf(yield Buffer.from(`${bare},p=${proof.toString('base64')}`))
  if (end.has('e')) throw refused(`the server says ${end.get('e')}`)
  const theirs = Buffer.from(end.get('v') ?? '', 'base64')
  const expected = hmac(hmac(salted, 'Server Key'), exchange)
  if (theirs.length !== expected.length || !timingSafeEqual(theirs, expected)) {
    throw refused('the server could not prove that it knows the password')
  }
}
