import { maskedIds } from '../zookeeper/index.ts'
import { linesOf } from './dump-file.ts'
import {
  type Dumped,
  damaged,
  type Header,
  isFooter,
  LineSum,
  readFooter,
  readHeader,
  readNode,
} from './dump-format.ts'

/**
 * The znodes of a dump in its order, each line checked. Throws ZK_DUMP_DAMAGED at the line that is wrong, and at the end
 * if lines are missing, count or sha256 do not fit, or something follows the footer: what was yielded before is then
 * void, so read it to the end once before acting on any of it.
 */
export async function* readDump(
  file: string,
  options: { onHeader?: (header: Header) => void } = {},
): AsyncGenerator<Dumped, void> {
  const sum = new LineSum()
  const open = new Set<string>()
  let ended = false
  for await (const line of linesOf(file)) {
    const at = `line ${line.where.line}`
    if (ended) throw damaged(file, `${at}: something follows the footer`)
    if (line.where.line === 1) {
      options.onHeader?.(readHeader(line))
      sum.add(line.text)
    } else if (isFooter(line.text)) {
      const { znodes, sha256 } = readFooter(line)
      if (znodes !== sum.znodes) throw damaged(file, `it has ${sum.znodes} znodes, its footer says ${znodes}`)
      if (sha256 !== sum.sha256()) throw damaged(file, 'its sha256 is not the one in its footer')
      ended = true
    } else {
      const node = readNode(line)
      sum.add(line.text)
      sum.znodes++
      const parent = node.path.slice(0, node.path.lastIndexOf('/')) || '/'
      if (node.path === '/' ? sum.znodes > 1 : !open.has(parent)) {
        throw damaged(file, `${at}: ${node.path} comes without its parent, or twice`)
      }
      if (node.stat.numChildren > 0 || node.path === '/') open.add(node.path)
      if (maskedIds(node.acl).length > 0)
        throw damaged(file, `${at}: the ACL of ${node.path} has hidden digests`)
      yield node
    }
  }
  if (!ended) throw damaged(file, 'it was cut off: the footer is missing')
}

/** Reads a dump to its end and keeps nothing of it. Throws USAGE, ZK_DUMP_DAMAGED. */
export const checkDump = async (
  file: string,
  signal: AbortSignal,
): Promise<{ header: Header; znodes: number }> => {
  let header: Header | undefined
  let znodes = 0
  const onHeader = (found: Header) => {
    header = found
  }
  for await (const _ of readDump(file, { onHeader })) {
    signal.throwIfAborted()
    znodes++
  }
  if (!header) throw damaged(file, 'it is empty')
  return { header, znodes }
}
