import { readFileSync } from 'node:fs'
import { KmigError, messageOf } from '../kit/index.ts'
import { Secret } from './secret.ts'

/** A Kafka client's .properties file; values that are credentials are `Secret`. */
export type ClientProperties = { file: string; values: ReadonlyMap<string, string | Secret> }

const SECRET_KEY = /password|jaas|\.key$|token/
const ESCAPES: Record<string, string> = { t: '\t', n: '\n', r: '\r', f: '\f' }

const unescaped = (text: string): string =>
  text.replace(/\\(?:u([0-9a-fA-F]{4})|(.))/g, (_all, hex: string | undefined, char: string) =>
    hex === undefined ? (ESCAPES[char] ?? char) : String.fromCharCode(Number.parseInt(hex, 16)),
  )

/** Whether a line goes on in the next: it ends in an odd number of backslashes. */
const continues = (line: string): boolean => (/\\+$/.exec(line)?.[0].length ?? 0) % 2 === 1

const logicalLines = (text: string): string[] => {
  const lines: string[] = []
  let open = ''
  for (const raw of text.split(/\r\n|\r|\n/)) {
    const line = raw.replace(/^[ \t\f]+/, '')
    if (!open && (line === '' || line.startsWith('#') || line.startsWith('!'))) continue
    open += line
    if (continues(line)) open = open.slice(0, -1)
    else {
      lines.push(open)
      open = ''
    }
  }
  return open ? [...lines, open] : lines
}

/** Keys and values as java.util.Properties reads them. The last of several equal keys wins. */
export const parseProperties = (text: string): Map<string, string> =>
  new Map(
    logicalLines(text).map(line => {
      const [, key = '', value = ''] = /^((?:\\.|[^\\=: \t\f])*)[ \t\f]*[=:]?[ \t\f]*(.*)$/s.exec(line) ?? []
      return [unescaped(key), unescaped(value)] as const
    }),
  )

/** Reads a client's file. UNSUPPORTED for what kmig can't speak yet, CONFIG_INVALID if it can't be read. */
export const readProperties = (file: string): ClientProperties => {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (e) {
    throw new KmigError('CONFIG_INVALID', `client properties ${file} can't be read: ${messageOf(e)}`, {
      try: ['name a file that exists, relative to kmig.yaml, in `properties`'],
      cause: e,
    })
  }
  const plain = parseProperties(text)
  const protocol = plain.get('security.protocol')?.trim().toUpperCase() ?? 'PLAINTEXT'
  if (protocol !== 'PLAINTEXT') {
    throw new KmigError(
      'UNSUPPORTED',
      `${file} asks for security.protocol ${protocol}; kmig speaks PLAINTEXT only`,
      {
        try: ['use a PLAINTEXT listener of the cluster', 'wait for the release that brings TLS and SASL'],
      },
    )
  }
  const values = new Map(
    [...plain].map(([key, value]) => [key, SECRET_KEY.test(key) ? new Secret(value) : value] as const),
  )
  return { file, values }
}
