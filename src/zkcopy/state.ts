import { existsSync, readFileSync } from 'node:fs'
import * as z from 'zod'
import { KmigError, messageOf, writeFileAtomic, Zxid } from '../kit/index.ts'
import { CODE, childPath, exists, getChildren, must, type ZkSession } from '../zookeeper/index.ts'
import type { ZkCopyOptions } from './options.ts'

const form = z.strictObject({
  format: z.literal('kmig-zkcopy-state'),
  version: z.literal(1),
  /** Roots, ACL mode, filters, what is preserved: another set asks for another state. */
  what: z.string(),
  /** Who the two trees are: see `identity`. */
  source: z.string(),
  target: z.string(),
  /** zxid of the source: all that it had written by then is on the target. */
  watermark: z.string().regex(/^\d+$/),
  nextSince: z.int(),
})
type State = z.infer<typeof form>

/** How a state file was used: made new, gone on from, or set aside for a reason. */
export type StateUse = { kind: 'none' | 'new' | 'continued' } | { kind: 'set-aside'; why: string }
export type Resumed = { use: StateUse; watermark: Zxid | undefined }

/**
 * Who a tree is: its root's creating transaction and time, which no other ensemble shares. `/` has none, there the first
 * child's stands for it. Empty for a tree that does not exist or holds nothing; such a one is never gone on from.
 */
const identity = async (session: ZkSession, root: string): Promise<string> => {
  if (root === '/') {
    const names = must(await session.call(getChildren, { path: root }), `list / of ${session.address}`)
    const first = names.filter(name => name !== 'zookeeper').sort()[0]
    return first === undefined ? '' : `${first} ${await identity(session, childPath(root, first))}`
  }
  const answer = await session.call(exists, { path: root })
  if (answer.code === CODE.NoNode) return ''
  const { czxid, ctimeMs } = must(answer, `read ${root} of ${session.address}`)
  return `${czxid} ${ctimeMs}`
}

type Sides = { source: ZkSession; target: ZkSession }
const whatOf = ({ from, to, acl = 'full', aclMap = new Map(), filter, keep }: ZkCopyOptions): string =>
  JSON.stringify([
    ...[from.chroot, to.chroot, acl, ...aclMap, filter?.include ?? [], filter?.exclude ?? []],
    ...(keep?.name ? [keep.name] : []),
  ])

/**
 * Where the last pass got to. Its watermark is trusted only if both trees are the same ones and the source has not gone
 * back, as one restored from a backup does; else all is compared. Throws STATE_DAMAGED.
 */
export const resume = async (options: ZkCopyOptions, sides: Sides, nowAt: bigint): Promise<Resumed> => {
  const file = options.state
  if (file === undefined) return { use: { kind: 'none' }, watermark: undefined }
  if (!existsSync(file)) return { use: { kind: 'new' }, watermark: undefined }
  const state = read(file)
  const setAside = (why: string): Resumed => ({ use: { kind: 'set-aside', why }, watermark: undefined })
  if (state.what !== whatOf(options)) return setAside('it is of other roots, ACLs or filters')
  const [source, target] = await Promise.all([
    identity(sides.source, options.from.chroot),
    identity(sides.target, options.to.chroot),
  ])
  if (source === '' || source !== state.source) return setAside('the source is another one')
  if (target === '' || target !== state.target) return setAside('the target is another one')
  const watermark = Zxid(BigInt(state.watermark))
  if (watermark > nowAt) return setAside('the source has gone back behind it')
  return { use: { kind: 'continued' }, watermark }
}

/** Notes that all which the source had written by `watermark` is on the target. Replaces the file in one step. */
export const keepState = async (
  options: ZkCopyOptions,
  sides: Sides,
  { watermark, nextSince }: { watermark: bigint; nextSince: number },
): Promise<void> => {
  if (options.state === undefined) return
  const [source, target] = await Promise.all([
    identity(sides.source, options.from.chroot),
    identity(sides.target, options.to.chroot),
  ])
  const state: State = {
    ...{ format: 'kmig-zkcopy-state', version: 1, what: whatOf(options) },
    ...{ source, target, watermark: String(watermark), nextSince },
  }
  await writeFileAtomic(options.state, `${JSON.stringify(state, undefined, 2)}\n`)
}

const read = (file: string): State => {
  try {
    return form.parse(JSON.parse(readFileSync(file, 'utf8')))
  } catch (e) {
    throw new KmigError('STATE_DAMAGED', `${file} is no state of a copy: ${messageOf(e)}`, {
      cause: e,
      try: ['name another file, or remove this one: the next run then compares all'],
    })
  }
}
