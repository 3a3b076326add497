import type { Secret } from './secret.ts'

/** Own certificate, for servers that ask for one. Kafka: ssl.keystore.*, ssl.key.password. */
export type OwnCertificate =
  | {
      readonly kind: 'pem'
      readonly chain: string
      readonly key: Secret
      readonly password?: Secret | undefined
    }
  | { readonly kind: 'pkcs12'; readonly store: Buffer; readonly password?: Secret | undefined }

/** Whom a TLS connection trusts and what it shows. The same for Kafka and ZooKeeper. */
export type Tls = {
  /** Certificates that are trusted, PEM; default those that Node brings. Kafka: ssl.truststore.*. */
  readonly ca?: string | undefined
  readonly own?: OwnCertificate | undefined
  /** Whether the certificate must name the host. Kafka: ssl.endpoint.identification.algorithm. */
  readonly checkHost: boolean
}

export const SASL_MECHANISMS = ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'] as const
export type SaslMechanism = (typeof SASL_MECHANISMS)[number]

export type Sasl = {
  readonly mechanism: SaslMechanism
  readonly user: string
  readonly password: Secret
  /** User and password are a delegation token's id and HMAC (SCRAM only). Source: KIP-48. */
  readonly token?: boolean | undefined
}

/** How a listener is spoken to. Kafka: security.protocol. */
export type Security =
  | { readonly protocol: 'PLAINTEXT' }
  | { readonly protocol: 'SSL'; readonly tls: Tls }
  | { readonly protocol: 'SASL_PLAINTEXT'; readonly sasl: Sasl }
  | { readonly protocol: 'SASL_SSL'; readonly tls: Tls; readonly sasl: Sasl }

export const tlsOf = (security: Security | undefined): Tls | undefined =>
  security && 'tls' in security ? security.tls : undefined
export const saslOf = (security: Security | undefined): Sasl | undefined =>
  security && 'sasl' in security ? security.sasl : undefined
