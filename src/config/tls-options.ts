import type { ConnectionOptions } from 'node:tls'
import type { Tls } from './security.ts'

/**
 * What node:tls needs. Certificates are always verified, whatever NODE_TLS_REJECT_UNAUTHORIZED says; TLS 1.2 or newer,
 * as Kafka's own client has it (ssl.enabled.protocols).
 */
export const tlsOptions = ({ ca, own, checkHost }: Tls): ConnectionOptions => ({
  rejectUnauthorized: true,
  minVersion: 'TLSv1.2',
  ...(ca === undefined ? {} : { ca }),
  ...(own?.kind === 'pem' ? { cert: own.chain, key: own.key.reveal() } : {}),
  ...(own?.kind === 'pkcs12' ? { pfx: own.store } : {}),
  ...(own?.password ? { passphrase: own.password.reveal() } : {}),
  ...(checkHost ? {} : { checkServerIdentity: () => undefined }),
})
