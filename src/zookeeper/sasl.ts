import { createHash, randomBytes } from 'node:crypto'
import type { Secret } from '../config/index.ts'
import { KmigError, messageOf } from '../kit/index.ts'
import { Writer } from '../wire/index.ts'
import { CODE, codeError } from './codes.ts'
import type { Connection, ReplyFrame } from './connection.ts'

/** Whom a session logs in as, by DIGEST-MD5: the only mechanism besides Kerberos that ZooKeeper has. */
export type SaslLogin = { readonly user: string; readonly password: Secret }

const OP_SASL = 102
/** Fixed in the server. Source: org.apache.zookeeper.server.ZooKeeperSaslServer, SaslServerPrincipal. */
const DIGEST_URI = 'zookeeper/zk-sasl-md5'

const md5 = (...parts: (string | Buffer)[]): Buffer => {
  const sum = createHash('md5')
  for (const part of parts) sum.update(part)
  return sum.digest()
}
const hex = (...parts: (string | Buffer)[]): string => md5(...parts).toString('hex')
const quoted = (text: string): string => `"${text.replace(/["\\]/g, '\\$&')}"`
/** RFC 2831, 2.1.2.1: Latin-1 where it can be written so, else UTF-8. */
const encoded = (text: string): Buffer =>
  Buffer.from(text, [...text].every(char => char <= 'ÿ') ? 'latin1' : 'utf8')

const directives = (text: string): Map<string, string> =>
  new Map(
    [...text.matchAll(/([\w-]+)=(?:"((?:\\.|[^"\\])*)"|([^,\s]*))/g)].map(
      ([, key = '', long, short = '']) => [key, long === undefined ? short : long.replace(/\\(.)/g, '$1')],
    ),
  )

/**
 * The answer to a server's challenge, and what the server must say to prove that it knows the password too.
 * Throws AUTHENTICATION if it is no challenge. Source: RFC 2831, 2.1.
 */
export const digestMd5 = (
  { user, password }: SaslLogin,
  challenge: string,
  { cnonce = randomBytes(24).toString('base64'), uri = DIGEST_URI } = {},
): { response: string; proof: string } => {
  const asked = directives(challenge)
  const nonce = asked.get('nonce')
  if (!nonce || asked.get('algorithm') !== 'md5-sess') {
    throw new KmigError('AUTHENTICATION', 'the server began no DIGEST-MD5 login')
  }
  const realm = asked.get('realm') ?? ''
  const secret = md5(encoded(user), ':', encoded(realm), ':', encoded(password.reveal()))
  const a1 = hex(secret, `:${nonce}:${cnonce}`)
  const answer = (a2: string): string => hex(`${a1}:${nonce}:00000001:${cnonce}:auth:${hex(a2)}`)
  const fields = [
    ...(asked.get('charset') === 'utf-8' ? ['charset=utf-8'] : []),
    `username=${quoted(user)}`,
    `realm=${quoted(realm)}`,
    `nonce=${quoted(nonce)}`,
    'nc=00000001',
    `cnonce=${quoted(cnonce)}`,
    `digest-uri=${quoted(uri)}`,
    'maxbuf=65536',
    `response=${answer(`AUTHENTICATE:${uri}`)}`,
    'qop=auth',
  ]
  return { response: fields.join(','), proof: `rspauth=${answer(`:${uri}`)}` }
}

/** What `exchange` sends and gets are the tokens of opcode 102; it throws AUTHENTICATION when it is refused. */
const logIn = async (
  login: SaslLogin,
  exchange: (token: Buffer) => Promise<Buffer | null>,
): Promise<void> => {
  const challenge = await exchange(Buffer.alloc(0))
  if (!challenge || challenge.length === 0) {
    throw new KmigError('AUTHENTICATION', 'the server takes no SASL login', {
      try: [
        'set authProvider.sasl and a JAAS file with DigestLoginModule on the servers, or leave the login out',
      ],
    })
  }
  const { response, proof } = digestMd5(login, challenge.toString())
  const said = (await exchange(Buffer.from(response)))?.toString() ?? ''
  if (said === proof) return
  throw new KmigError('AUTHENTICATION', 'the server did not prove that it knows the password too')
}

export type LoginOptions = {
  /** Where replies go while the login is on; undefined ends that. */
  listen(to: ((reply: ReplyFrame) => void) | undefined): void
  /** Rejects with the end of the connection. */
  ended: Promise<never>
  withinMs: number
}

/** Logs in over a connection before anything else is sent on it; ends the connection if that fails. */
export const logInOver = async (
  connection: Connection,
  login: SaslLogin,
  { listen, ended, withinMs }: LoginOptions,
): Promise<void> => {
  const late = setTimeout(() => connection.end(new KmigError('TIMEOUT', 'the login got no answer')), withinMs)
  const exchange = (token: Buffer): Promise<Buffer | null> => {
    const { promise, resolve, reject } = Promise.withResolvers<Buffer | null>()
    listen(({ code, body }) => {
      if (code === CODE.Ok) resolve(body.nullableBytes32())
      else reject(codeError(CODE.AuthFailed, `SASL login as ${login.user} at ${connection.address}`))
    })
    connection.sendOne(0, OP_SASL, new Writer(64).bytes32(token).toBuffer())
    return Promise.race([promise, ended])
  }
  try {
    await logIn(login, exchange)
  } catch (e) {
    connection.end(e instanceof KmigError ? e : new KmigError('AUTHENTICATION', messageOf(e)))
    throw e
  } finally {
    clearTimeout(late)
    listen(undefined)
  }
}
