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
