import { execFile } from 'node:child_process'
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises'
import { isIP } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { KmigError } from '../kit/index.ts'

const run = promisify(execFile)

/** Paths of PEM files: the certificate, its key (PKCS#8), and both in one, as Kafka's PEM key stores want it. */
export type Certificate = { certificate: string; key: string; store: string }
export type IssueOptions = {
  /** Names and IP addresses that the certificate is for; none for a client. */
  hosts?: readonly string[]
  /** What its files are called; default its name. */
  file?: string
  /** Default 2; negative: one that has expired. */
  days?: number
}
export type Authority = {
  /** Path of its own certificate, PEM. */
  certificate: string
  /** Makes a certificate whose subject is CN=`name`. */
  issue(name: string, options?: IssueOptions): Promise<Certificate>
}

const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']

/** Throws NO_PROVIDER, naming what to install, if there is no openssl. */
export const checkOpenssl = async (signal: AbortSignal, openssl = 'openssl'): Promise<void> => {
  await run(openssl, ['version'], { signal, timeout: 30_000 }).catch((cause: unknown) => {
    signal.throwIfAborted()
    throw new KmigError(
      'NO_PROVIDER',
      `listeners with TLS need certificates, and ${openssl} doesn't run to make them`,
      {
        cause,
        try: ['install OpenSSL (Debian: apt-get install openssl; macOS: brew install openssl)'],
      },
    )
  })
}

/** A certificate authority for one run, in a directory that it makes. Throws NO_PROVIDER, SANDBOX. */
export const certificateAuthority = async (
  directory: string,
  { signal, openssl = 'openssl' }: { signal: AbortSignal; openssl?: string },
): Promise<Authority> => {
  await checkOpenssl(signal, openssl)
  await mkdir(directory, { recursive: true, mode: 0o700 })
  const at = (name: string) => join(directory, name)
  const call = async (...args: string[]) => {
    await run(openssl, args, { signal, cwd: directory, timeout: 30_000 }).catch((cause: Error) => {
      signal.throwIfAborted()
      throw new KmigError('SANDBOX', `openssl ${args[0]} failed: ${cause.message}`, { cause })
    })
  }
  const [own, ownKey] = [at('ca.pem'), at('ca.key')]
  const subject = ['-subj', '/CN=kmig sandbox CA', '-addext', 'keyUsage=critical,keyCertSign']
  await call('req', '-x509', ...NEW_KEY, '-keyout', ownKey, '-out', own, '-days', '2', ...subject)

  const issue = async (
    name: string,
    { hosts = [], days = 2, file = name }: IssueOptions = {},
  ): Promise<Certificate> => {
    const made = { certificate: at(`${file}.crt`), key: at(`${file}.key`), store: at(`${file}.pem`) }
    const [request, extensions] = [at(`${file}.csr`), at(`${file}.ext`)]
    const names = hosts.map(host => `${isIP(host) ? 'IP' : 'DNS'}:${host}`)
    const uses = [
      'extendedKeyUsage=serverAuth,clientAuth',
      ...(names.length ? [`subjectAltName=${names}`] : []),
    ]
    await writeFile(extensions, `${uses.join('\n')}\n`)
    await call('req', '-new', ...NEW_KEY, '-keyout', made.key, '-out', request, '-subj', `/CN=${name}`)
    const signed = ['-CA', own, '-CAkey', ownKey, '-CAcreateserial', '-CAserial', at(`${file}.serial`)]
    const dated = ['-days', `${days}`, '-extfile', extensions]
    await call('x509', '-req', '-in', request, ...signed, ...dated, '-out', made.certificate)
    const parts = await Promise.all([made.key, made.certificate, own].map(path => readFile(path, 'utf8')))
    await writeFile(made.store, parts.join(''), { mode: 0o600 })
    await chmod(made.key, 0o600)
    return made
  }
  return { certificate: own, issue }
}
