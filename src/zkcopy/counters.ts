import { isKmigError, KmigError } from '../kit/index.ts'
import {
  type Answer,
  CODE,
  childPath,
  codeError,
  joinPath,
  multi,
  must,
  OPEN_ACL,
  opBytes,
  type WriteOp,
  type ZkSession,
} from '../zookeeper/index.ts'
import type { CommitOptions } from './commit.ts'
import { nextSequence, RAISE_MOST } from './keep.ts'
import { UNPACED } from './pace.ts'
import { note } from './tally.ts'
import type { Node } from './tree-reader.ts'
import type { WalkOptions } from './walk.ts'

export type CounterOptions = Pick<WalkOptions, 'from' | 'to' | 'counters' | 'tally' | 'signal'>
export type RaiseOptions = CounterOptions & { committing: CommitOptions }
/** Tries of one parent, lost connections counted. */
const ATTEMPTS = 5

type Counter = { below: string; path: string; want: number; has: number }

/** The parents whose next sequential child would get another number on the target, 500 read at a time. */
async function* differing(options: CounterOptions): AsyncGenerator<Counter, void> {
  const { from, to, signal } = options
  const paths = [...options.counters]
  for (let i = 0; i < paths.length; i += 500) {
    signal.throwIfAborted()
    const some = paths.slice(i, i + 500)
    const [here, there] = await Promise.all([
      from.reader.data(some.map(path => joinPath(from.root, path))),
      to.reader.data(some.map(path => joinPath(to.root, path))),
    ])
    for (const [j, below] of some.entries()) {
      const path = joinPath(to.root, below)
      const [source, target] = [present(here[j], below), present(there[j], path)]
      if (!source) continue
      const want = nextSequence(source.stat)
      const has = target ? nextSequence(target.stat) : 0
      if (want !== has) yield { below, path, want, has }
    }
  }
}

/** What a check finds: parents whose counter is not the source's. */
export const compareCounters = async (options: CounterOptions): Promise<void> => {
  for await (const { path } of differing(options)) note(options.tally.differing, `sequence ${path}`)
}

/**
 * Raises the counters of sequential children to the source's, by creating and deleting a child as often as it takes:
 * pairs in one multi, which nobody sees. Comes last, as each child that is copied raises it too. One that is higher on
 * the target stays: nothing lowers it but making the parent anew.
 */
export const raiseCounters = async (options: RaiseOptions): Promise<void> => {
  const to = { reader: options.committing.target, root: options.to.root } // sees what this run wrote
  for await (const counter of differing({ ...options, to })) {
    const { want, has, path } = counter
    const reach = want < 0 || has < 0 || want < has ? has : Math.min(want, has + RAISE_MOST)
    if (reach !== want) note(options.tally.countersLeft, path)
    if (reach > has) await raise(path, reach, options)
  }
}

const raise = async (
  path: string,
  reach: number,
  { committing, tally, signal }: RaiseOptions,
): Promise<void> => {
  const { session, target, pace = UNPACED, limits } = committing
  const pairs = Math.max(1, Math.floor(limits.ops / 2))
  const child = childPath(path, `kmig-counter-${process.pid}`)
  for (let attempt = 0; ; attempt++) {
    const [answer] = await target.data([path])
    const node = must(answer as Answer<Node>, `read ${path} of the target again`)
    let left = reach - nextSequence(node.stat)
    if (left <= 0) return
    if (attempt === ATTEMPTS) {
      throw new KmigError(
        'ZK_CONFLICT',
        `the child counter of ${path} could not be raised in ${attempt} tries`,
        {
          try: ['stop what else writes to the target, and run the copy again'],
        },
      )
    }
    for (; left > 0; left -= pairs) {
      signal.throwIfAborted()
      const count = Math.min(left, pairs)
      const ops = pairsOf(child, count)
      const bytes = ops.reduce((sum, op) => sum + opBytes(op), 0)
      await pace.turn({ operations: ops.length, bytes }, signal)
      const code = await send(session, ops)
      if (code === CODE.Ok) tally.multis++
      else if (code === undefined) break
      else throw codeError(code, `create and delete a child of ${path} on the target (${session.address})`)
    }
  }
}

const pairsOf = (path: string, count: number): WriteOp[] =>
  Array.from({ length: count }).flatMap((): WriteOp[] => [
    { kind: 'create', path, data: null, acl: OPEN_ACL },
    { kind: 'delete', path, version: -1 },
  ])

/** The code of the operation that failed; undefined when the answer was lost. */
const send = async (session: ZkSession, ops: readonly WriteOp[]): Promise<number | undefined> => {
  try {
    const { code, value } = await session.call(multi, ops)
    return value?.find(each => each !== 0) ?? code
  } catch (e) {
    if (isKmigError(e, 'DISCONNECTED')) return undefined
    throw e
  }
}

const present = (answer: Answer<Node> | undefined, path: string): Node | undefined =>
  answer?.code === CODE.NoNode ? undefined : must(answer as Answer<Node>, `read ${path}`)
