import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { dirname } from 'node:path'
import { KmigError } from './errors.ts'
import { syncDirectory } from './files.ts'

type Line = { at: string; prev: string; entry: unknown }

const hashOf = (line: string): string => createHash('sha256').update(line).digest('hex')
const GENESIS = '0'.repeat(64)

/**
 * Append-only NDJSON, each line holding the hash of the one before, fsynced before `append` resolves.
 * A torn last line (a crash in mid-write) is cut off; any other damage is STATE_DAMAGED. Source: CUTOVER.md 8.
 */
export class Journal<T> implements AsyncDisposable {
  #handle: FileHandle
  #last: string
  #writing: Promise<void> = Promise.resolve()
  readonly entries: T[]
  private constructor(handle: FileHandle, last: string, entries: T[]) {
    this.#handle = handle
    this.#last = last
    this.entries = entries
  }

  static async open<T>(path: string): Promise<Journal<T>> {
    const { entries, last, bytes } = readJournal<T>(path)
    const handle = await open(path, existsSync(path) ? 'r+' : 'wx+', 0o600)
    await handle.truncate(bytes)
    await handle.sync()
    await syncDirectory(dirname(path))
    return new Journal(handle, last, entries)
  }

  /** Lines of several callers follow each other in the order of the calls. */
  append(entry: T): Promise<void> {
    const written = this.#writing.then(() => this.#write(entry))
    this.#writing = written.catch(() => {}) // who asked for it is told
    return written
  }

  async #write(entry: T): Promise<void> {
    const line = JSON.stringify({ at: new Date().toISOString(), prev: this.#last, entry } satisfies Line)
    const { size } = await this.#handle.stat()
    await this.#handle.write(`${line}\n`, size)
    await this.#handle.sync()
    this.#last = hashOf(line)
    this.entries.push(entry)
  }

  /** Hash of the whole chain up to now. */
  get head(): string {
    return this.#last
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writing
    await this.#handle.close()
  }
}

/** Entries of a journal that nobody need hold open; an absent file has none. */
export const readJournal = <T>(path: string): { entries: T[]; last: string; bytes: number } => {
  const text = existsSync(path) ? readFileSync(path, 'utf8') : ''
  const entries: T[] = []
  let last = GENESIS
  let from = 0
  for (let end = text.indexOf('\n'); end >= 0; from = end + 1, end = text.indexOf('\n', from)) {
    const line = text.slice(from, end)
    let parsed: Line | undefined
    try {
      parsed = JSON.parse(line) as Line
    } catch {}
    if (parsed?.prev !== last) {
      throw new KmigError(
        'STATE_DAMAGED',
        `${path} line ${entries.length + 1} does not follow the line before it`,
        {
          try: ['restore the file from a backup; do not edit it'],
        },
      )
    }
    entries.push(parsed.entry as T)
    last = hashOf(line)
  }
  return { entries, last, bytes: Buffer.byteLength(text.slice(0, from)) }
}
