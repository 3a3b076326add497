import { createWriteStream } from 'node:fs'
import { open, rename, stat, unlink } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { Readable, type Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGunzip, createGzip } from 'node:zlib'
import { isKmigError, KmigError, messageOf, syncDirectory } from '../kit/index.ts'
import { damaged, type Line } from './dump-format.ts'

const NEWLINE = 10
const isGzip = (file: string): boolean => file.endsWith('.gz')
const notFile = (file: string, why: unknown, verb: string): KmigError =>
  new KmigError('USAGE', `${file} can't be ${verb}: ${messageOf(why)}`, { cause: why })

/** Throws USAGE if the file is there and may not be replaced, or its directory is not there. */
export const refuseOverwrite = async (file: string, options: { overwrite: boolean }): Promise<void> => {
  const directory = await stat(dirname(file)).catch(e => Promise.reject(notFile(file, e, 'written')))
  if (!directory.isDirectory()) throw notFile(file, `${dirname(file)} is no directory`, 'written')
  const there = await stat(file).catch(() => undefined)
  if (!there || (options.overwrite && there.isFile())) return
  throw new KmigError('USAGE', `${file} is there already`, { try: ['give another name, or --overwrite'] })
}

/**
 * Writes text to a file that appears under its name only when all of it is on the disk: temporary file beside it, fsync,
 * rename. For its owner only, as it may hold secrets. Compressed if the name ends in .gz.
 */
export const writeDumpFile = async (
  file: string,
  text: AsyncIterable<string>,
  signal: AbortSignal,
): Promise<number> => {
  const stage = join(dirname(file), `.${basename(file)}.${process.pid}.stage`)
  try {
    const to = createWriteStream(stage, { flags: 'wx', mode: 0o600 })
    if (isGzip(file)) await pipeline(Readable.from(text), createGzip(), to, { signal })
    else await pipeline(Readable.from(text), to, { signal })
    await using handle = await open(stage, 'r+')
    await handle.sync()
  } catch (e) {
    await unlink(stage).catch(() => {})
    signal.throwIfAborted()
    throw e
  }
  const { size } = await stat(stage)
  await rename(stage, file)
  await syncDirectory(dirname(file))
  return size
}

/** Writes text to a stream that stays open, at the pace of its reader. */
export const writeDumpStream = async (
  to: Writable,
  text: AsyncIterable<string>,
  signal: AbortSignal,
): Promise<number> => {
  let bytes = 0
  const counted = async function* () {
    for await (const some of text) {
      bytes += Buffer.byteLength(some)
      yield some
    }
  }
  await pipeline(Readable.from(counted()), to, { signal, end: false })
  return bytes
}

/**
 * The lines of a dump. Throws USAGE if it can't be read, ZK_DUMP_DAMAGED if it does not unpack; with `torn: 'ends'` a
 * packed file that was cut off ends there.
 */
export async function* linesOf(file: string, options: { torn?: 'ends' } = {}): AsyncGenerator<Line, void> {
  await using handle = await open(file, 'r').catch(e => Promise.reject(notFile(file, e, 'read')))
  const raw = handle.createReadStream({ autoClose: false })
  const input = isGzip(file) ? raw.pipe(createGunzip()) : raw
  raw.on('error', e => input.destroy(notFile(file, e, 'read')))
  let line = 1
  const held: Buffer[] = []
  const lineOf = (end: Buffer): Line => ({
    text: Buffer.concat([...held.splice(0), end]).toString(),
    where: { file, line: line++ },
  })
  try {
    for await (const chunk of input as AsyncIterable<Buffer>) {
      let from = 0
      for (let at = chunk.indexOf(NEWLINE); at >= 0; at = chunk.indexOf(NEWLINE, from)) {
        yield lineOf(chunk.subarray(from, at))
        from = at + 1
      }
      if (from < chunk.length) held.push(chunk.subarray(from))
    }
  } catch (e) {
    if (isKmigError(e) || !isGzip(file)) throw e
    if (options.torn === 'ends' && (e as NodeJS.ErrnoException).code === 'Z_BUF_ERROR') return
    throw damaged(file, `it does not unpack: ${messageOf(e)}`)
  }
  if (held.length > 0) yield lineOf(Buffer.alloc(0))
}
