import { existsSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { dirname } from 'node:path'
import { gzipSync } from 'node:zlib'
import { KmigError, messageOf, syncDirectory } from '../kit/index.ts'
import { type Answer, belowPath, CODE, formatConnectString, isWithin, must } from '../zookeeper/index.ts'
import { AclTable } from './acls.ts'
import { BACKUP_FORMAT, type BackupHeader, backupHeader } from './backup-format.ts'
import type { Batch, Change } from './change.ts'
import { nodeText } from './dump-format.ts'
import type { End } from './ensembles.ts'
import type { Node, TreeReader } from './tree-reader.ts'
import { unmasked } from './unmasked.ts'

/** What a backup holds of this run. */
export type BackupReport = { file: string; replaced: number; created: number }
const TAIL_BYTES = 64 << 10

/**
 * A file with every znode of the target as it was before the copy changes or deletes it, and the path of each that it
 * makes: on the disk before the write goes out. A file that is there is gone on with, a torn last line cut off.
 */
export class Backup implements AsyncDisposable {
  readonly report: BackupReport
  #handle: FileHandle
  #root: string
  #target: TreeReader
  #turn: Promise<void> = Promise.resolve()
  #acls = new AclTable()
  private constructor(
    handle: FileHandle,
    file: string,
    { root, target }: { root: string; target: TreeReader },
  ) {
    this.#handle = handle
    this.#root = root
    this.#target = target
    this.report = { file, replaced: 0, created: 0 }
  }

  /** `target` sees what was written. Throws USAGE. */
  static async open(file: string, { to, target }: { to: End; target: TreeReader }): Promise<Backup> {
    const there = existsSync(file)
    if (there) await mustBeOurs(file, to)
    const handle = await open(file, there ? 'r+' : 'wx', 0o600).catch(e => {
      throw new KmigError('USAGE', `the backup ${file} can't be written: ${messageOf(e)}`, { cause: e })
    })
    const backup = new Backup(handle, file, { root: to.chroot, target })
    if (there) await cutTorn(handle)
    else {
      const at = new Date().toISOString()
      const more = { to: formatConnectString(to), root: to.chroot, at }
      const header: BackupHeader = { kind: 'header', format: BACKUP_FORMAT, version: 1, ...more }
      await backup.#append(`${JSON.stringify(header)}\n`)
      await syncDirectory(dirname(file))
    }
    return backup
  }

  /** Resolves when the file has all that this batch will replace; calls are answered in their order. */
  before(batch: Batch): Promise<void> {
    const mine = this.#turn.then(() => this.#keep(batch))
    this.#turn = mine.catch(() => {}) // its own caller is told
    return mine
  }

  async #keep({ ops, acls }: Batch): Promise<void> {
    const ours = [...ops, ...acls].filter(({ path }) => isWithin(this.#root, path))
    const changed = new Map<string, Change>()
    let text = ''
    for (const change of ours) {
      if (change.kind !== 'create') changed.set(change.path, changed.get(change.path) ?? change)
      else {
        text += `${JSON.stringify({ kind: 'created', path: belowPath(this.#root, change.path) })}\n`
        this.report.created++
      }
    }
    const paths = [...changed.keys()]
    const [nodes, own] = await Promise.all([this.#target.data(paths), this.#target.acls(paths)])
    for (const [i, path] of paths.entries()) {
      const node = present(nodes[i] as Answer<Node>, path)
      const acl = present(own[i] as (typeof own)[number], path)?.acl
      if (!node || !acl) continue // gone: the write fails, and is looked at again
      const line = nodeText({
        ...node,
        path: belowPath(this.#root, path),
        acl: unmasked(this.#acls, acl, { path, flag: '--to-auth' }),
      })
      const change = changed.get(path)
      const foreign = change?.kind === 'set' && change.foreign
      text += foreign ? `${line.slice(0, -1)},"foreign":true}\n` : `${line}\n`
      this.report.replaced++
    }
    if (text !== '') await this.#append(text)
  }

  async #append(text: string): Promise<void> {
    const { size } = await this.#handle.stat()
    const bytes = this.report.file.endsWith('.gz') ? gzipSync(text) : Buffer.from(text)
    await this.#handle.write(bytes, 0, bytes.length, size)
    await this.#handle.datasync()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#turn
    await this.#handle.close()
  }
}

const mustBeOurs = async (file: string, { chroot }: End): Promise<void> => {
  const another = (why: string) =>
    new KmigError('USAGE', `the backup ${file} ${why}`, { try: ['give another name'] })
  if (file.endsWith('.gz')) throw another('is there already, and a packed one is not gone on with')
  const header = await backupHeader(file)
  if (!header) throw another('is there already and is no backup of zkcopy')
  if (header.root !== chroot) throw another(`is of the root ${header.root}, not of ${chroot}`)
}

/** Ends the file behind its last whole line. */
const cutTorn = async (handle: FileHandle): Promise<void> => {
  const { size } = await handle.stat()
  const bytes = Buffer.alloc(TAIL_BYTES)
  for (let end = size; end > 0; end -= TAIL_BYTES) {
    const from = Math.max(0, end - TAIL_BYTES)
    const { bytesRead } = await handle.read(bytes, 0, end - from, from)
    const newline = bytes.subarray(0, bytesRead).lastIndexOf(10)
    if (newline >= 0) return await handle.truncate(from + newline + 1)
  }
}

const present = <T>(answer: Answer<T>, path: string): T | undefined =>
  answer.code === CODE.NoNode ? undefined : must(answer, `read ${path} of the target for the backup`)
