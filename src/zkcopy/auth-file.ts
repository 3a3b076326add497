import { readFileSync } from 'node:fs'
import { refuseOpen } from '../config/index.ts'
import { KmigError, messageOf } from '../kit/index.ts'
import type { Auth } from '../zookeeper/index.ts'

/** A key, and = before any colon. */
const PROPERTY = /^\s*[\w.-]+\s*=/

/**
 * Who a session is: one `scheme:secret` a line, as `addauth` of zkCli takes it (`digest:user:password`). Blank lines
 * and lines that start with # are left out; `properties` tells whether there are `key=value` lines too. A file, as a flag would show the secret to every user of the machine.
 * Throws USAGE, CONFIG_INVALID (others than its owner can open it).
 */
export const readAuthFile = (file: string): { auth: Auth[]; properties: boolean } => {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (e) {
    throw new KmigError('USAGE', `the file of credentials ${file} can't be read: ${messageOf(e)}`, {
      cause: e,
    })
  }
  let properties = false
  const auth = text.split(/\r?\n/).flatMap((line, i) => {
    if (line.trim() === '' || line.startsWith('#')) return []
    if (PROPERTY.test(line)) {
      properties = true
      return []
    }
    const [, scheme, secret] = /^([\w-]+):(.+)$/.exec(line) ?? []
    if (scheme && secret && (scheme !== 'digest' || secret.includes(':'))) {
      return [{ scheme, secret: Buffer.from(secret) }]
    }
    throw new KmigError('USAGE', `${file}:${i + 1}: not scheme:secret`, {
      try: ['write one a line, for example digest:user:password'],
    })
  })
  if (auth.length > 0) refuseOpen(file, 'credentials')
  return { auth, properties }
}
