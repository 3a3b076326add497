import * as z from 'zod'
import { linesOf } from './dump-file.ts'
import { type Dumped, damaged, type Line, nodeLine, parseLine, readNode } from './dump-format.ts'

export const BACKUP_FORMAT = 'kmig-zk-backup'
/** The lines of a backup besides those of znodes, which are as in a dump. */
export const backupHeaderLine = z.strictObject({
  kind: z.literal('header'),
  format: z.literal(BACKUP_FORMAT),
  version: z.literal(1),
  to: z.string().describe('connect string of the target'),
  root: z.string().describe('of the target; paths are below it'),
  at: z.string().describe('ISO 8601'),
})
/** Was not there: the copy was about to make it. */
export const createdLine = z.strictObject({ kind: z.literal('created'), path: z.string() })
/** As it was before the copy changed or deleted it. `foreign`: somebody else had written it since the line before. */
export const replacedLine = nodeLine.extend({ foreign: z.literal(true).optional() })
export type BackupHeader = z.infer<typeof backupHeaderLine>

const isCreated = (text: string): boolean => text.startsWith('{"kind":"created"')
const FOREIGN = /,"foreign":true\}$/

type Entry = { line: Line; path: string; created: boolean; foreign: boolean }

/** The header of a backup, or undefined if the file is something else. Throws USAGE. */
export const backupHeader = async (file: string): Promise<BackupHeader | undefined> => {
  for await (const line of linesOf(file, { torn: 'ends' })) {
    if (!line.text.includes(`"${BACKUP_FORMAT}"`)) return undefined
    return parseLine(backupHeaderLine, line)
  }
  return undefined
}

/** Entries in the order in which they were written. A last line that a kill has torn is left out. Throws ZK_DUMP_DAMAGED. */
async function* entriesOf(file: string): AsyncGenerator<Entry, void> {
  let torn: Line | undefined
  for await (const line of linesOf(file, { torn: 'ends' })) {
    if (torn) throw damaged(file, `line ${torn.where.line} is no JSON`)
    if (line.where.line === 1) continue
    try {
      const { path } = JSON.parse(line.text) as { path: string }
      const created = isCreated(line.text)
      yield { line, path, created, foreign: !created && FOREIGN.test(line.text) }
    } catch {
      torn = line
    }
  }
}

/** What a backup puts back: znodes as they were, and the paths that were not there. */
export type BackedUp = { nodes: Dumped[]; created: Set<string> }

/**
 * The first line of a path tells what was there before the copy; what somebody else had written when the copy was about
 * to replace it wins over that, so that nobody's data is lost. Read twice: what is put back is in memory, nothing else.
 */
export const readBackup = async (file: string): Promise<BackedUp> => {
  const wanted = new Map<string, number>()
  const created = new Set<string>()
  for await (const entry of entriesOf(file)) {
    const known = wanted.has(entry.path) || created.has(entry.path)
    if (known && !entry.foreign) continue
    if (entry.created) created.add(entry.path)
    else {
      wanted.set(entry.path, entry.line.where.line)
      created.delete(entry.path)
    }
  }
  const nodes: Dumped[] = []
  for await (const { line, path } of entriesOf(file)) {
    if (wanted.get(path) !== line.where.line) continue
    nodes.push(readNode({ ...line, text: line.text.replace(FOREIGN, '}') }))
  }
  nodes.sort((a, b) => (a.path < b.path ? -1 : 1))
  return { nodes, created }
}
