import { isKmigError } from '../kit/index.ts'
import type { Change } from './change.ts'
import type { Login } from './ensembles.ts'
import { refuseForbidden } from './forbidden.ts'
import { refuseWithoutRights } from './rights.ts'
import type { TreeReader } from './tree-reader.ts'
import { type WalkOptions, walk } from './walk.ts'

/** Changes that are held back until all that may not be read is known. */
const HELD = 20_000
const HELD_BYTES = 8 << 20

export type LookFirstOptions = {
  target: TreeReader
  /** Who writes. */
  login: Login
  /** zxid that all reading sessions are at. */
  by: bigint
}

/**
 * What must change, as the walk finds it, but nothing before it is sure that all of the source may be read. A walk with
 * few changes is ended first; for a longer one the whole source is read ahead, whose ACLs the walk then need not ask for.
 * Throws ZK_NO_AUTH, ZK_MASKED_ACL with every path of the source, and with those of the target as far as they are known.
 */
export async function* lookFirst(
  plan: WalkOptions,
  options: LookFirstOptions,
): AsyncGenerator<Change[], void> {
  const walking = walk(plan)
  try {
    const held: Change[][] = []
    const ended = await hold(walking, held).catch(async e => {
      if (isKmigError(e, 'ZK_NO_AUTH', 'ZK_MASKED_ACL')) await refuseForbidden(plan, options.by)
      throw e
    })
    if (!ended) plan.acls.known = await refuseForbidden(plan, options.by)
    const going = (plan.extras ?? []).map(path => ({ kind: 'delete', path, version: 0 }) as const)
    await refuseWithoutRights([...held.flat(), ...going], options)
    for (const changes of held.splice(0)) yield changes
    yield* walking
  } finally {
    await walking.return()
  }
}

/** Fills `held`; says whether the walk has ended by that. */
const hold = async (walking: AsyncGenerator<Change[], void>, held: Change[][]): Promise<boolean> => {
  let [count, bytes] = [0, 0]
  while (count < HELD && bytes < HELD_BYTES) {
    const { done, value } = await walking.next()
    if (done) return true
    held.push(value)
    count += value.length
    for (const change of value) bytes += 'data' in change ? (change.data?.length ?? 0) : 0
  }
  return false
}
