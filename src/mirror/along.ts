import type { During } from '../kit/index.ts'
import type { MirrorEvent } from './events.ts'
import { often } from './often.ts'

/** How often group offsets are copied, and ACLs and quotas. */
const GROUPS_MS = 5_000
const INVENTORY_MS = 30_000

export type Every = { groupsEveryMs?: number; inventoryEveryMs?: number }
export type AlongOptions = During<MirrorEvent> &
  Every & { groups(): Promise<unknown>; inventory(): Promise<unknown> }

/** What follows the source beside the records, until `ended`. */
export const along = async (
  { groups, inventory, groupsEveryMs = GROUPS_MS, inventoryEveryMs = INVENTORY_MS, signal, on }: AlongOptions,
  ended: () => Promise<unknown>,
): Promise<void> => {
  const timer = new AbortController()
  const until = { on, signal: AbortSignal.any([signal, timer.signal]) }
  const both = [
    often({ ...until, where: 'groups', everyMs: groupsEveryMs }, groups),
    often({ ...until, where: 'inventory', everyMs: inventoryEveryMs, firstMs: 0 }, inventory),
  ]
  try {
    await ended()
  } finally {
    timer.abort()
    await Promise.all(both)
  }
}
