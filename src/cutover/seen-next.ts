import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { writeFileAtomic } from '../kit/index.ts'

/** Where the new cluster's logs were seen to end last, and when; kept beside the journal. */
export type SeenNext = { atMs: number; ends: Record<string, string> }

const AGAIN_MS = 10_000
const pathOf = (directory: string): string => join(directory, 'seen-new.json')

export const seenNext = (directory: string): SeenNext | undefined =>
  existsSync(pathOf(directory))
    ? (JSON.parse(readFileSync(pathOf(directory), 'utf8')) as SeenNext)
    : undefined

/** Adds a look. What was seen once stays seen, whoever does not answer later. */
export const keepSeen = async (
  directory: string,
  seen: ReadonlyMap<string, bigint>,
  atMs: number,
): Promise<void> => {
  const known = seenNext(directory) ?? { atMs: 0, ends: {} }
  const more = [...seen].filter(([where, end]) => end > BigInt(known.ends[where] ?? -1))
  if (more.length === 0 && atMs - known.atMs < AGAIN_MS) return
  const ends = { ...known.ends, ...Object.fromEntries(more.map(([where, end]) => [where, String(end)])) }
  await writeFileAtomic(pathOf(directory), `${JSON.stringify({ atMs, ends } satisfies SeenNext)}\n`)
}
