import { join } from 'node:path'
import { inverse } from './edit.ts'
import type { FileChange } from './file-plan.ts'
import { mergeBack } from './merge-back.ts'
import { reversed } from './model.ts'
import { loadBytes, readTransactions, type StagedChange, storedPath } from './record.ts'
import { recover, type WriteOptions, type Written, writeAll } from './transaction.ts'
import { conflict, stateOf } from './write.ts'

/**
 * Takes the last write of a run back: byte for byte where nobody else changed the file, else by the inverse edits on
 * the lines kmig wrote, so that later edits of others survive. Throws DISCOVERY_CONFLICT, and writes nothing, when
 * somebody changed those lines. A run that wrote nothing, or was taken back already, changes nothing.
 */
export const revert = async (options: WriteOptions): Promise<Written> => {
  const { journalDir } = options
  await recover(journalDir)
  const last = readTransactions(journalDir).findLast(transaction => transaction.at === 'done')
  if (last?.of !== 'apply') return { changed: [], already: last?.changes.map(change => change.path) ?? [] }
  const { root } = last
  const back: FileChange[] = []
  const lost: { path: string; why: string }[] = []
  for (const change of last.changes) {
    const found = await backFrom(journalDir, root, change)
    if ('why' in found)
      lost.push({
        path: change.path,
        why: `${found.why}; its original is ${storedPath(journalDir, change.shaBefore)}`,
      })
    else back.push(found)
  }
  if (lost.length > 0) {
    const commands = lost.map(({ path }) => `compare, then settle by hand: ${join(root, path)}`)
    throw conflict(root, lost, 'nothing was written', ...commands)
  }
  return await writeAll('revert', root, back, options)
}

const backFrom = async (
  journalDir: string,
  root: string,
  change: StagedChange,
): Promise<FileChange | { why: string }> => {
  const { path, edits, fields, shaBefore, shaAfter } = change
  const state = await stateOf(root, change)
  if (state.is !== 'other') {
    return {
      path,
      edits: inverse(edits),
      fields: fields.map(reversed),
      shaBefore: shaAfter,
      shaAfter: shaBefore,
    }
  }
  const merged = state.raw && mergeBack(change, await loadBytes(journalDir, shaBefore), state.raw)
  return merged ?? { why: state.raw ? 'was changed by somebody where kmig had written' : state.why }
}
