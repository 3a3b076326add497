import { X509Certificate } from 'node:crypto'
import { KmigError, messageOf } from '../kit/index.ts'
import type { Tls } from './security.ts'

type Row = { pattern: RegExp; why: string; fix: string }

const TRUST = 'check that ssl.truststore holds the certificate of the CA that signed it'
const OWN = 'set ssl.keystore to a certificate that the server trusts, with its key and its whole chain'

/** Node's and OpenSSL's names for what makes a server's certificate no proof of who it is. */
const THEIRS: readonly Row[] = [
  {
    pattern: /^CERT_HAS_EXPIRED$/,
    why: 'its certificate has expired',
    fix: 'renew the certificate of the server',
  },
  {
    pattern: /^CERT_NOT_YET_VALID$/,
    why: 'its certificate is not valid yet',
    fix: "check the clocks, then the certificate's dates",
  },
  {
    pattern: /^ERR_TLS_CERT_ALTNAME_INVALID$/,
    why: 'its certificate is for another host',
    fix: 'use a host name that the certificate lists, in bootstrap and in what the server advertises',
  },
  {
    pattern:
      /^(SELF_SIGNED_CERT_IN_CHAIN|DEPTH_ZERO_SELF_SIGNED_CERT|UNABLE_TO_(GET_ISSUER_CERT|VERIFY_LEAF).*)$/,
    why: 'its certificate was signed by an unknown CA',
    fix: TRUST,
  },
  {
    pattern: /^(CERT_|INVALID_CA|INVALID_PURPOSE|PATH_LENGTH_EXCEEDED|HOSTNAME_MISMATCH)/,
    why: 'its certificate is not valid',
    fix: TRUST,
  },
]
/** Alerts by which a server refuses ours. In TLS 1.3 they come after the handshake, in place of the first answer. */
const OURS: readonly Row[] = [
  {
    pattern: /ALERT_CERTIFICATE_REQUIRED/,
    why: 'it wants a client certificate, and none was given',
    fix: OWN,
  },
  {
    pattern: /ALERT_CERTIFICATE_EXPIRED/,
    why: "it refused kmig's certificate as expired",
    fix: 'renew the certificate in ssl.keystore',
  },
  { pattern: /ALERT_UNKNOWN_CA/, why: "it does not know the CA of kmig's certificate", fix: OWN },
  {
    pattern:
      /ALERT_(BAD_CERTIFICATE|UNSUPPORTED_CERTIFICATE|CERTIFICATE_UNKNOWN|CERTIFICATE_REVOKED|ACCESS_DENIED)/,
    why: "it refused kmig's certificate",
    fix: OWN,
  },
]

/** Brokers don't say of a certificate that it has expired: its dates do. */
const expiry = ({ own }: Tls): string | undefined => {
  if (own?.kind !== 'pem') return undefined
  const { validTo } = new X509Certificate(own.chain)
  return Date.parse(validTo) < Date.now() ? `kmig's certificate expired on ${validTo}` : undefined
}

/**
 * An error of a TLS connection in the operator's words: AUTHENTICATION where one side's certificate is refused, PROTOCOL
 * where the two find no common ground; undefined if it is not about TLS. `where` is the server's address.
 */
export const tlsFailure = (e: unknown, where: string, tls: Tls): KmigError | undefined => {
  const { code = '', reason } = e as { code?: string; reason?: string }
  const theirs = THEIRS.find(({ pattern }) => pattern.test(code))
  if (theirs) {
    const detail = reason ?? messageOf(e)
    return new KmigError('AUTHENTICATION', `${where} can't be trusted: ${theirs.why} (${detail})`, {
      try: [theirs.fix],
    })
  }
  if (!/^ERR_(SSL|OSSL)_/.test(code)) return undefined
  const ours = OURS.find(({ pattern }) => pattern.test(code))
  if (ours) {
    const bare = /BAD_CERTIFICATE|HANDSHAKE/.test(code) && !tls.own
    const why = bare ? 'it wants a client certificate, and none was given' : (expiry(tls) ?? ours.why)
    return new KmigError('AUTHENTICATION', `${where} refused the TLS connection: ${why} (${code})`, {
      try: [ours.fix],
    })
  }
  return new KmigError('PROTOCOL', `${where}: the TLS handshake failed (${code})`, {
    try: [
      'check which security.protocol this listener speaks, and its ssl.enabled.protocols and ssl.cipher.suites',
    ],
  })
}
