import { backoffMs, KmigError, messageOf, sleep } from '../kit/index.ts'
import { type Answer, CODE, must } from '../zookeeper/index.ts'
import type { AclTable } from './acls.ts'
import { type Batch, type BatchLimits, type Change, pack } from './change.ts'
import { countOne, type Outcome } from './commit.ts'
import { sameData } from './decide.ts'
import { missingParents, type ParentSource } from './parents.ts'
import { note, type Tally } from './tally.ts'
import type { Node, TreeReader } from './tree-reader.ts'

export type RepairOptions = {
  /** Reads the target through the session that writes, so that it sees what was written. */
  target: TreeReader
  /** Where lost parents are read again. */
  source: ParentSource
  /** Whether ACLs are compared: mode `full`. Undefined: they are not. */
  acls: AclTable | undefined
  limits: BatchLimits
  tally: Tally
  send(batch: Batch): Promise<Outcome>
  signal: AbortSignal
}
/** Tries besides those that halve a batch down to one operation. */
const ATTEMPTS = 5

/**
 * Brings about what a batch should have: reads its znodes again, drops what is done, sends the rest. From the second
 * loss of the same work on, batches are halved, as one of its operations may be what breaks the connection.
 * Throws ZK_CONFLICT or ZK, naming the znode, when that does not end.
 */
export const repair = async (outcome: Outcome, options: RepairOptions): Promise<void> => {
  const { limits, tally, signal, send } = options
  tally.repaired++
  let { open, why } = outcome
  const most = Math.min(limits.ops, open.length)
  const attempts = ATTEMPTS + Math.ceil(Math.log2(most))
  for (let attempt = 0; open.length > 0; attempt++) {
    signal.throwIfAborted()
    if (attempt === attempts) throw stuck(open, { attempts, why })
    if (attempt > 0) await sleep(backoffMs(attempt), signal)
    const left = await reread(open, options)
    const ops = Math.max(1, Math.ceil(most / 2 ** Math.max(0, attempt - 1)))
    open = []
    for await (const batch of pack([left], { ops, bytes: limits.bytes })) {
      const again = await send(batch)
      open.push(...again.open)
      why = again.why ?? why
    }
  }
}

/** What is still to be done of these changes, by what the target has now; before it, parents that it lost. */
const reread = async (changes: readonly Change[], options: RepairOptions): Promise<Change[]> => {
  const { target, acls } = options
  const paths = changes.map(change => change.path)
  const [nodes, readAcls] = await Promise.all([target.data(paths), acls ? target.acls(paths) : []])
  const left: Change[] = []
  for (const [i, change] of changes.entries()) {
    const node = present(nodes[i] as Answer<Node>, change.path)
    const acl = acls && present(readAcls[i], change.path)?.acl
    const rest = remains(change, node, options)
    if (rest) left.push(rest)
    if (!rest && change.kind !== 'acl') countOne(options.tally, change)
    const wanted = change.kind === 'delete' ? undefined : change.acl
    if (node && acl && wanted && acls.intern(acl) !== wanted) {
      left.push({ kind: 'acl', path: change.path, acl: wanted, aversion: node.stat.aversion })
    }
  }
  return [...(await missingParents(left, options)), ...left]
}

const remains = (change: Change, node: Node | undefined, { tally }: RepairOptions): Change | undefined => {
  if (change.kind === 'acl') {
    if (!node) throw deleted(change.path)
    return undefined // what differs is told by the ACL itself
  }
  if (change.kind === 'delete') return node && { ...change, version: node.stat.version }
  const { path, data, acl, upTo } = change
  if (!node) {
    if (change.kind === 'set') note(tally.foreign, path)
    return { ...change, kind: 'create' }
  }
  const { version } = node.stat
  if (node.stat.ephemeral) throw new KmigError('ZK_EPHEMERAL', `${path} became an ephemeral on the target`)
  const same = sameData(node.data, data)
  if (same && (upTo === undefined || version >= upTo) && !(change.kind === 'remake' && version !== upTo)) {
    return undefined
  }
  if (change.kind === 'remake' && (upTo === undefined || version >= upTo)) return { ...change, version }
  const foreign = !same && (change.kind === 'create' || change.version !== version)
  if (foreign) note(tally.foreign, path)
  return { kind: 'set', path, data, acl, version, upTo, foreign }
}

const present = <T>(answer: Answer<T> | undefined, path: string): T | undefined =>
  !answer || answer.code === CODE.NoNode ? undefined : must(answer, `read ${path} of the target again`)

const deleted = (path: string): KmigError =>
  new KmigError('ZK_CONFLICT', `${path} was deleted on the target by somebody else during the copy`, {
    try: ['stop what writes to the target, and run the copy again'],
  })

const stuck = (
  open: readonly Change[],
  { attempts, why }: { attempts: number; why: KmigError | undefined },
): KmigError => {
  const first = open[0] as Change
  const what = `${first.kind} ${first.path}${open.length > 1 ? ` and ${open.length - 1} more` : ''}`
  const lost = why?.code === 'DISCONNECTED'
  return new KmigError(
    lost ? 'ZK' : 'ZK_CONFLICT',
    `${what} failed ${attempts} times on the target: ${messageOf(why)}`,
    {
      cause: why,
      try: lost
        ? ['look into the log of the target servers: a request above jute.maxbuffer is closed without a word']
        : ['stop what else writes to the target, and run the copy again'],
    },
  )
}
