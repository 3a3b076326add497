import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { messageOf } from '../kit/index.ts'
import type { Env } from './directories.ts'
import { parseProperties } from './java-properties.ts'

/** `${env:NAME}`, `${file:path:key}` (a properties file), `${directory:path:name}` (a file of that name). */
const REFERENCE = /\$\{(?:env:(?<name>[^}:]+)|(?<kind>file|directory):(?<path>[^}:]+):(?<key>[^}:]+))\}/g

export type ReferenceOptions = {
  /** What relative paths start from. */
  directory: string
  env: Env
  /** Throws unless the file, which is there for its secrets, is closed to others. */
  refuseOpen(file: string): void
}

/**
 * A value with what it refers to in place; anything else in `${}` stays, as it does in Kafka without such a provider.
 * Throws an Error that says what is missing. Source: KIP-297, KIP-421, KIP-887 (FileConfigProvider and its siblings).
 */
export const withReferences = (value: string, options: ReferenceOptions): string =>
  value.replace(REFERENCE, (whole, ...rest) => {
    const { name, kind, path = '', key = '' } = rest.at(-1) as Record<string, string | undefined>
    if (name !== undefined) {
      const found = options.env[name]
      if (found === undefined) throw new Error(`${whole}: there is no ${name} in the environment`)
      return found
    }
    const at = resolve(options.directory, path)
    const file = kind === 'file' ? at : resolve(at, key)
    options.refuseOpen(file)
    let text: string
    try {
      text = readFileSync(file, 'utf8')
    } catch (e) {
      throw new Error(`${whole}: ${messageOf(e)}`)
    }
    if (kind === 'directory') return text.replace(/\r?\n$/, '')
    const found = parseProperties(text).get(key)
    if (found === undefined) throw new Error(`${whole}: ${file} has no key ${key}`)
    return found
  })

/** Whether a value holds a secret itself, rather than say where it is. */
export const holdsSecret = (key: string, value: string): boolean => {
  const own = value.replace(REFERENCE, '')
  return key === 'sasl.jaas.config' ? /password\s*=\s*(["']?)[^"'\s;]/.test(own) : own.trim() !== ''
}
