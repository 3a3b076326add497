import { execFileSync } from 'node:child_process'
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readProperties, type Sasl, type Security, type Tls, tlsOptions } from '../../src/config/index.ts'
import { parseJaas } from '../../src/config/jaas.ts'
import { isKmigError, type KmigError } from '../../src/kit/index.ts'
import { type Authority, type Certificate, certificateAuthority } from '../../src/sandbox/index.ts'
import { temporary } from '../temporary.ts'

const SCRAM = 'org.apache.kafka.common.security.scram.ScramLoginModule'
const CANARY = 'canary-hunter2'
const ref = (to: string) => `\${${to}}`
const jaas = (password: string, name = SCRAM) => `${name} required username="kmig" password="${password}";`

const file = (text: string, mode = 0o600) => {
  const path = join(temporary(), 'c.properties')
  writeFileSync(path, text)
  chmodSync(path, mode)
  return path
}
const props = (values: Record<string, string>) =>
  Object.entries(values)
    .map(([key, value]) => `${key}=${value.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}\n`)
    .join('')
const read = (values: Record<string, string>, env = {}) => readProperties(file(props(values)), env)
const saslOf = (security: Security): Sasl => ('sasl' in security ? security.sasl : expect.unreachable())
const tlsOf = (security: Security): Tls => ('tls' in security ? security.tls : expect.unreachable())
const failure = (work: () => unknown): KmigError => {
  try {
    work()
  } catch (e) {
    if (isKmigError(e)) return e
    throw e
  }
  throw new Error('nothing was thrown')
}

describe('user and password', () => {
  for (const mechanism of ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512']) {
    test(`are read for ${mechanism}, and nothing that is printed shows the password`, () => {
      const { security } = read({
        'security.protocol': 'SASL_PLAINTEXT',
        'sasl.mechanism': mechanism,
        'sasl.jaas.config': jaas(CANARY),
      })
      expect(saslOf(security)).toMatchObject({ mechanism, user: 'kmig' })
      expect(saslOf(security).password.reveal()).toBe(CANARY)
      expect(inspect(security, { depth: 9, showHidden: true }) + JSON.stringify(security)).not.toContain(
        CANARY,
      )
    })
  }
  test('may be a delegation token', () => {
    const text = `${SCRAM} required username="id" password="hmac" tokenauth="true";`
    const values = {
      'security.protocol': 'sasl_plaintext',
      'sasl.mechanism': 'SCRAM-SHA-256',
      'sasl.jaas.config': text,
    }
    expect(saslOf(read(values).security).token).toBe(true)
  })
  test('any password comes back out of a quoted option', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.constantFrom('"', "'"), (password, quote) => {
        const quoted = password.replace(/[\\"']/g, '\\$&')
        const { name, options } = parseJaas(
          `a.b.Login  required /* x */ password=${quote}${quoted}${quote} n=1 ; // end`,
        )
        expect([name, options.get('password'), options.get('n')]).toEqual(['Login', password, '1'])
      }),
    )
  })
  const broken: [text: string, why: RegExp][] = [
    ['', /does not begin with the class/],
    [`${SCRAM} username="a";`, /not followed by 'required'/],
    [`${SCRAM} required username="a" password="${CANARY}"`, /does not end with ';'/],
    [`${SCRAM} required username="a" password="${CANARY};`, /can't be read from character/],
    [`${SCRAM} required username;`, /option 1 is not name="value"/],
    [`${jaas(CANARY)} ${jaas(CANARY)}`, /more than one login module/],
    [`${SCRAM} required password="${CANARY}";`, /no username/],
    [`${SCRAM} required username="a";`, /no password/],
  ]
  for (const [text, why] of broken) {
    test(`${text.replaceAll(CANARY, '...') || 'nothing'} is refused, and the password not shown`, () => {
      const values = {
        'security.protocol': 'SASL_PLAINTEXT',
        'sasl.mechanism': 'PLAIN',
        'sasl.jaas.config': text || ' ;',
      }
      const e = failure(() => read(values))
      expect([e.code, e.message]).toEqual(['CONFIG_INVALID', expect.stringMatching(why)])
      expect(inspect(e)).not.toContain(CANARY)
    })
  }
  const refused: [Record<string, string>, RegExp][] = [
    [{ 'sasl.jaas.config': jaas('x') }, /not set, which means GSSAPI/],
    [{ 'sasl.mechanism': 'GSSAPI' }, /does not speak Kerberos/],
    [{ 'sasl.mechanism': 'OAUTHBEARER' }, /does not speak OAUTHBEARER/],
    [{ 'sasl.mechanism': 'SCRAM-SHA-1' }, /does not know SCRAM-SHA-1/],
    [{ 'sasl.mechanism': 'PLAIN', 'sasl.jaas.config': jaas('x', 'com.sun.Krb5LoginModule') }, /Kerberos/],
    [
      { 'sasl.mechanism': 'PLAIN', 'sasl.jaas.config': jaas('x', 'my.Own') },
      /does not know the login module Own/,
    ],
  ]
  for (const [values, why] of refused) {
    test(`${Object.values(values)} is refused plainly`, () => {
      const e = failure(() => read({ 'security.protocol': 'SASL_SSL', ...values }))
      expect([e.code, e.message]).toEqual(['UNSUPPORTED', expect.stringMatching(why)])
    })
  }
  test('without sasl.jaas.config the line to write is shown', () => {
    const e = failure(() => read({ 'security.protocol': 'SASL_SSL', 'sasl.mechanism': 'SCRAM-SHA-512' }))
    expect(e.suggestions[0]).toMatch(/^sasl.jaas.config=.*ScramLoginModule required username=/)
  })
})

describe('what is elsewhere', () => {
  const login = (password: string) => ({
    'security.protocol': 'SASL_PLAINTEXT',
    'sasl.mechanism': 'SCRAM-SHA-512',
    'sasl.jaas.config': jaas(password),
  })
  test('is taken from the environment, a properties file and a directory, and the file itself may then be open', () => {
    const directory = temporary()
    const secrets = join(directory, 's.properties')
    writeFileSync(secrets, `pw=${CANARY}\n`, { mode: 0o600 })
    writeFileSync(join(directory, 'pw'), `${CANARY}\n`, { mode: 0o600 })
    for (const from of [ref('env:PW'), ref(`file:${secrets}:pw`), ref(`directory:${directory}:pw`)]) {
      const { security, warnings } = readProperties(file(props(login(from)), 0o644), { PW: CANARY })
      expect([saslOf(security).password.reveal(), warnings]).toEqual([CANARY, []])
    }
  })
  test('stays as it is where no provider knows it', () => {
    expect(saslOf(read(login(`a${ref('b')}$${ref('c:d')}`)).security).password.reveal()).toBe(
      `a${ref('b')}$${ref('c:d')}`,
    )
  })
  const absent: [string, RegExp][] = [
    [ref('env:NONE'), /no NONE in the environment/],
    [ref('file:/nowhere:k'), /ENOENT/],
    [ref('directory:/nowhere:k'), /ENOENT/],
  ]
  for (const [reference, why] of absent) {
    test(`${reference} that is not there is CONFIG_INVALID`, () => {
      const e = failure(() => read(login(reference)))
      expect([e.code, e.message]).toEqual(['CONFIG_INVALID', expect.stringMatching(why)])
    })
  }
  for (const mode of [0o640, 0o604, 0o644, 0o660]) {
    test(`a file with a secret and mode ${mode.toString(8)} is refused, with the chmod that closes it`, () => {
      const path = file(props(login(CANARY)), mode)
      const e = failure(() => readProperties(path))
      expect(e).toMatchObject({ code: 'CONFIG_INVALID', suggestions: [`chmod 600 ${path}`] })
      const open = join(temporary(), 's')
      writeFileSync(open, `k=${CANARY}\n`)
      chmodSync(open, mode)
      expect(failure(() => read(login(ref(`file:${open}:k`)))).suggestions).toEqual([`chmod 600 ${open}`])
    })
  }
  test('a file without a secret may be open', () => {
    expect(readProperties(file('security.protocol=PLAINTEXT\nclient.id=me', 0o644)).clientId).toBe('me')
  })
  test('that is absent is CONFIG_INVALID', () => {
    expect(failure(() => readProperties('/nowhere/x.properties')).code).toBe('CONFIG_INVALID')
  })
})

test('keys that kmig does not use are named in one warning, those of the providers are not', () => {
  const { warnings } = read({
    acks: 'all',
    'group.id': 'g',
    'config.providers': 'env',
    'config.providers.env.class': 'x',
  })
  expect(warnings).toEqual(['kmig makes no use of acks, group.id'])
})
test('a protocol that does not exist is CONFIG_INVALID', () => {
  expect(failure(() => read({ 'security.protocol': 'TLS' })).message).toMatch(/'TLS' is not PLAINTEXT, SSL/)
})
test('PLAIN without TLS warns that the password travels in clear', () => {
  const values = {
    'security.protocol': 'SASL_PLAINTEXT',
    'sasl.mechanism': 'PLAIN',
    'sasl.jaas.config': jaas('x'),
  }
  expect(read(values).warnings).toEqual([expect.stringMatching(/in clear/)])
})

describe('certificates', () => {
  let directory = ''
  let ca: Authority
  let own: Certificate
  const at = (name: string) => join(directory, name)
  const make = (command: string, ...args: string[]) => execFileSync(command, args, { stdio: 'pipe' })
  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'kmig-test-'))
    ca = await certificateAuthority(directory, { signal: AbortSignal.timeout(60_000) })
    own = await ca.issue('me')
    make(
      'openssl',
      'pkcs12',
      '-export',
      '-nokeys',
      '-in',
      ca.certificate,
      '-out',
      at('trust.p12'),
      '-passout',
      'pass:pw',
    )
    const plain = ['-certpbe', 'NONE', '-passout', 'pass:pw']
    make('openssl', 'pkcs12', '-export', '-nokeys', '-in', ca.certificate, '-out', at('plain.p12'), ...plain)
    const pair = ['-in', own.certificate, '-inkey', own.key]
    make('openssl', 'pkcs12', '-export', ...pair, '-out', at('me.p12'), '-passout', 'pass:pw')
    make('openssl', 'pkcs8', '-topk8', '-in', own.key, '-out', at('me.enc.key'), '-passout', 'pass:pw')
    const java = [
      '-importcert',
      '-noprompt',
      '-alias',
      'ca',
      '-file',
      ca.certificate,
      '-storepass',
      'changeit',
    ]
    make('keytool', ...java, '-keystore', at('java.p12'), '-storetype', 'PKCS12')
    make('keytool', ...java, '-keystore', at('java.jks'), '-storetype', 'JKS')
  }, 60_000)
  afterAll(() => rmSync(directory, { recursive: true, force: true }))
  const ssl = (values: Record<string, string>) => read({ 'security.protocol': 'SSL', ...values })
  const text = (path: string) => readFileSync(path, 'utf8')
  const oneLine = (pem: string) => pem.trim().replaceAll('\n', ' ')

  const trust: [string, () => Record<string, string>][] = [
    ['PEM', () => ({ 'ssl.truststore.location': ca.certificate, 'ssl.truststore.type': 'PEM' })],
    ['PEM of no stated type', () => ({ 'ssl.truststore.location': ca.certificate })],
    ['PEM in the file itself', () => ({ 'ssl.truststore.certificates': text(ca.certificate) })],
    [
      'PEM in one line of the file itself',
      () => ({ 'ssl.truststore.certificates': oneLine(text(ca.certificate)) }),
    ],
    [
      'PKCS12 of OpenSSL',
      () => ({ 'ssl.truststore.location': at('trust.p12'), 'ssl.truststore.password': 'pw' }),
    ],
    ['PKCS12 that is not encrypted', () => ({ 'ssl.truststore.location': at('plain.p12') })],
    [
      'PKCS12 of keytool',
      () => ({ 'ssl.truststore.location': at('java.p12'), 'ssl.truststore.password': 'changeit' }),
    ],
  ]
  for (const [what, values] of trust) {
    test(`that are trusted come from ${what}`, () => {
      expect(tlsOf(ssl(values()).security).ca?.trim()).toBe(text(ca.certificate).trim())
    })
  }

  const owns: [string, () => Record<string, string>][] = [
    ['one PEM file', () => ({ 'ssl.keystore.location': own.store, 'ssl.keystore.type': 'PEM' })],
    [
      'PEM in the file itself',
      () => ({ 'ssl.keystore.certificate.chain': text(own.certificate), 'ssl.keystore.key': text(own.key) }),
    ],
    [
      'PEM in one line each, the key encrypted',
      () => ({
        'ssl.keystore.certificate.chain': oneLine(text(own.certificate)),
        'ssl.keystore.key': oneLine(text(at('me.enc.key'))),
        'ssl.key.password': 'pw',
      }),
    ],
    ['PKCS12', () => ({ 'ssl.keystore.location': at('me.p12'), 'ssl.keystore.password': 'pw' })],
  ]
  for (const [what, values] of owns) {
    test(`of kmig itself come from ${what}, and nothing that is printed shows the key`, () => {
      const { security } = ssl(values())
      expect(tlsOf(security).own).toBeDefined()
      expect(tlsOptions(tlsOf(security))).toMatchObject({ rejectUnauthorized: true, minVersion: 'TLSv1.2' })
      const shown = inspect(security, { depth: 9, showHidden: true }) + JSON.stringify(security)
      expect(shown).not.toMatch(/PRIVATE KEY/)
    })
  }

  const wrong: [string, () => Record<string, string>, RegExp][] = [
    [
      'a wrong password of a PKCS12 trust store',
      () => ({ 'ssl.truststore.location': at('java.p12'), 'ssl.truststore.password': 'no' }),
      /password does not open/,
    ],
    [
      'a wrong password of a PKCS12 key store',
      () => ({ 'ssl.keystore.location': at('me.p12'), 'ssl.keystore.password': 'no' }),
      /ssl.keystore.password: it does not open/,
    ],
    [
      'no password of an encrypted key',
      () => ({
        'ssl.keystore.certificate.chain': text(own.certificate),
        'ssl.keystore.key': text(at('me.enc.key')),
      }),
      /ssl.key.password: the key is encrypted/,
    ],
    [
      'a wrong password of an encrypted key',
      () => ({
        'ssl.keystore.certificate.chain': text(own.certificate),
        'ssl.keystore.key': text(at('me.enc.key')),
        'ssl.key.password': 'no',
      }),
      /ssl.key.password: it does not open/,
    ],
    [
      'the key of another certificate',
      () => ({ 'ssl.keystore.certificate.chain': text(ca.certificate), 'ssl.keystore.key': text(own.key) }),
      /not that of the certificate/,
    ],
    [
      'a chain without its key',
      () => ({ 'ssl.keystore.certificate.chain': text(own.certificate) }),
      /needed beside/,
    ],
    ['a key store without a key', () => ({ 'ssl.keystore.location': ca.certificate }), /no private keys/],
    ['a trust store without a certificate', () => ({ 'ssl.truststore.location': own.key }), /no certificate/],
    ['a trust store that is absent', () => ({ 'ssl.truststore.location': '/nowhere' }), /ENOENT/],
    [
      'a file of something else',
      () => ({ 'ssl.truststore.location': import.meta.filename }),
      /no certificate|neither PEM/,
    ],
    [
      'trust given twice',
      () => ({ 'ssl.truststore.location': ca.certificate, 'ssl.truststore.certificates': 'x' }),
      /not both/,
    ],
    [
      'another way to check the host',
      () => ({ 'ssl.endpoint.identification.algorithm': 'LDAPS' }),
      /neither https nor empty/,
    ],
  ]
  for (const [what, values, why] of wrong) {
    test(`${what} is CONFIG_INVALID`, () => {
      const e = failure(() => ssl(values()))
      expect([e.code, e.message]).toEqual(['CONFIG_INVALID', expect.stringMatching(why)])
    })
  }
  test('in JKS are refused with the command that converts them, which works', () => {
    const e = failure(() =>
      ssl({ 'ssl.truststore.location': at('java.jks'), 'ssl.truststore.password': 'changeit' }),
    )
    expect(e).toMatchObject({ code: 'UNSUPPORTED', message: expect.stringMatching(/only Java reads/) })
    const [command = '', ...args] = (e.suggestions[0] ?? '').split(' ')
    make(command, ...args, '-srcstorepass', 'changeit', '-deststorepass', 'changeit')
    const converted = {
      'ssl.truststore.location': `${at('java.jks')}.p12`,
      'ssl.truststore.password': 'changeit',
    }
    expect(existsSync(converted['ssl.truststore.location'])).toBe(true)
    expect(tlsOf(ssl(converted).security).ca).toContain('CERTIFICATE')
  })
  test('in an open file with a bare private key are refused, with the chmod that closes it', () => {
    const open = at('open.pem')
    writeFileSync(open, text(own.store))
    chmodSync(open, 0o644)
    expect(failure(() => ssl({ 'ssl.keystore.location': open })).suggestions).toEqual([`chmod 600 ${open}`])
  })
  test('whose host is not checked give a loud warning', () => {
    const { security, warnings } = ssl({ 'ssl.endpoint.identification.algorithm': '' })
    expect(tlsOf(security).checkHost).toBe(false)
    expect(warnings).toEqual([expect.stringMatching(/HOST NAMES ARE NOT CHECKED/)])
  })
})
