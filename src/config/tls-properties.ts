import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { createSecureContext } from 'node:tls'
import { messageOf } from '../kit/index.ts'
import { isKey, pemBlocks, pemOf } from './pem.ts'
import { certificatesOf } from './pkcs12.ts'
import { Secret } from './secret.ts'
import { refuseOpen } from './secret-file.ts'
import type { OwnCertificate, Tls } from './security.ts'
import { tlsOptions } from './tls-options.ts'
import type { Values } from './values.ts'

type Store = { kind: 'pem'; text: string } | { kind: 'pkcs12'; bytes: Buffer }

/** Trust and own certificate as Kafka's client would take them. Throws CONFIG_INVALID, UNSUPPORTED. */
export const tlsFrom = (values: Values): Tls => {
  const ca = trusted(values)
  const own = ownCertificate(values)
  const check = values.get('ssl.endpoint.identification.algorithm') ?? 'https'
  if (check !== '' && check.toLowerCase() !== 'https') {
    throw values.wrong('ssl.endpoint.identification.algorithm', `'${check}' is neither https nor empty`)
  }
  const tls: Tls = { ...(ca ? { ca } : {}), ...(own ? { own } : {}), checkHost: check !== '' }
  try {
    createSecureContext(tlsOptions(tls))
  } catch (e) {
    throw values.wrong(...unusable(e, own))
  }
  return tls
}

const trusted = (values: Values): string | undefined => {
  const [inline, location] = [
    values.some('ssl.truststore.certificates'),
    values.some('ssl.truststore.location'),
  ]
  values.get('ssl.truststore.type') // what lies there says so itself
  const password = values.some('ssl.truststore.password')
  if (inline && location) throw both(values, 'ssl.truststore.certificates', 'ssl.truststore.location')
  const key = inline ? 'ssl.truststore.certificates' : 'ssl.truststore.location'
  const store = inline ? ({ kind: 'pem', text: inline } as const) : location && storeAt(values, key, location)
  if (!store) return undefined
  let found: string[]
  try {
    found =
      store.kind === 'pem'
        ? pemBlocks(store.text).flatMap(({ label, text }) => (label === 'CERTIFICATE' ? [text] : []))
        : certificatesOf(store.bytes, password ?? '').map(pemOf)
  } catch (e) {
    const why = `this PKCS12 store can't be read: ${messageOf(e)}`
    throw values.wrong(
      key,
      why,
      'check ssl.truststore.password',
      `or make it PEM: keytool -list -rfc -keystore ${location} > ca.pem`,
    )
  }
  if (found.length === 0) throw values.wrong(key, 'it holds no certificate')
  return found.join('')
}

const ownCertificate = (values: Values): OwnCertificate | undefined => {
  const [chain, key] = [values.some('ssl.keystore.certificate.chain'), values.some('ssl.keystore.key')]
  const location = values.some('ssl.keystore.location')
  values.get('ssl.keystore.type')
  const passwords = [values.some('ssl.keystore.password'), values.some('ssl.key.password')] as const
  const [ofStore, ofKey] = passwords.map(text => text && new Secret(text))
  const of = (password: Secret | '' | undefined) => (password ? { password } : {})
  if (location && (chain || key)) throw both(values, 'ssl.keystore.key', 'ssl.keystore.location')
  if (chain && key) return { ...pemOwn(values, 'ssl.keystore.key', `${chain}\n${key}`), ...of(ofKey) }
  if (chain) throw values.wrong('ssl.keystore.key', 'it is needed beside ssl.keystore.certificate.chain')
  if (key) throw values.wrong('ssl.keystore.certificate.chain', 'it is needed beside ssl.keystore.key')
  if (!location) return undefined
  const store = storeAt(values, 'ssl.keystore.location', location)
  if (store.kind === 'pkcs12') return { kind: 'pkcs12', store: store.bytes, ...of(ofStore) }
  if (/-----BEGIN (RSA |EC )?PRIVATE KEY-----(?!\s*Proc-Type: 4,ENCRYPTED)/.test(store.text)) {
    refuseOpen(pathOf(values, location), 'a private key that is not encrypted')
  }
  return { ...pemOwn(values, 'ssl.keystore.location', store.text), ...of(ofKey) }
}

const pemOwn = (values: Values, where: string, text: string): { kind: 'pem'; chain: string; key: Secret } => {
  const blocks = pemBlocks(text)
  const keys = blocks.filter(({ label }) => isKey(label))
  const chain = blocks.flatMap(each => (each.label === 'CERTIFICATE' ? [each.text] : []))
  if (keys.length !== 1) throw values.wrong(where, `it holds ${keys.length || 'no'} private keys, not one`)
  if (chain.length === 0) throw values.wrong(where, 'it holds no certificate')
  return { kind: 'pem', chain: chain.join(''), key: new Secret(keys[0]?.text ?? '') }
}

const pathOf = ({ file }: Values, location: string): string => resolve(dirname(file), location)

/** What a store is, is told by its first bytes: `ssl.*.type` is often left out, and Java looks into it too. */
const storeAt = (values: Values, key: string, location: string): Store => {
  const path = pathOf(values, location)
  let bytes: Buffer
  try {
    bytes = readFileSync(path)
  } catch (e) {
    throw values.wrong(key, messageOf(e), 'name a file that exists')
  }
  if (bytes.length >= 4 && (bytes.readUInt32BE() === 0xfeedfeed || bytes.readUInt32BE() === 0xcececece)) {
    throw values.refused(
      key,
      `${path} is a JKS store, which only Java reads`,
      `keytool -importkeystore -srckeystore ${path} -destkeystore ${path}.p12 -deststoretype PKCS12`,
      `then set ${key}=${location}.p12`,
    )
  }
  if (bytes[0] === 0x30) return { kind: 'pkcs12', bytes }
  const text = bytes.toString('latin1')
  if (text.includes('-----BEGIN ')) return { kind: 'pem', text }
  throw values.wrong(key, `${path} is neither PEM nor PKCS12`)
}

const both = (values: Values, one: string, other: string) =>
  values.wrong(one, `give it or ${other}, not both`)

/** Why OpenSSL can't use what it was given. */
const unusable = (
  e: unknown,
  own: OwnCertificate | undefined,
): [key: string, why: string, ...next: string[]] => {
  const text = messageOf(e)
  const pkcs12 = own?.kind === 'pkcs12'
  if (/mac verify failure|bad decrypt|bad password|interrupted or cancelled|PBE|decrypt/i.test(text)) {
    const key = pkcs12 ? 'ssl.keystore.password' : 'ssl.key.password'
    return [key, own?.password ? 'it does not open the key' : 'the key is encrypted and needs it']
  }
  if (/key values mismatch/i.test(text)) return ['ssl.keystore', 'the key is not that of the certificate']
  return [own ? 'ssl.keystore' : 'ssl.truststore', `it can't be used (${text})`]
}
