import { type During, KmigError } from '../kit/index.ts'
import type { MovedReaders, ReadersSight } from '../mirror/index.ts'
import type { CutoverEvent } from './events.ts'
import type { Ports } from './ports.ts'
import type { Begun, ReadersState, State } from './states.ts'

type Moving = During<CutoverEvent> & { ports: Ports }

/** Whether readers have to move before the fence, or have; then where that stands, by what the new cluster remembers. */
export const readersOf = async (
  { readers }: Begun,
  { readers: port }: Ports,
): Promise<ReadersState | undefined> => {
  if (!port) return readers
  const moved = await port.moved()
  const known = (readers?.moved ?? []).filter(({ group }) => !isIn(moved, group))
  const all = [...known, ...moved]
  return all.length === 0 && port.wanted.length === 0 ? undefined : { ...readers, moved: all }
}

const isIn = (moved: readonly MovedReaders[], group: string): boolean =>
  moved.some(each => each.group === group)
const stopped = (state: string) => ({ state, side: 'old' as const })
const started = (state: string) => ({ state, side: 'new' as const })
const LOOK_MS = 500

/**
 * One move: a group is stopped by the hook, or by whoever else, set on the new cluster, and started there. With hooks one
 * after the other, so that each stands still as shortly as it can; else whichever has stopped first.
 */
export const moveNext = async (
  now: Begun & { at: 'reads-moving'; readers: ReadersState },
  { ports, signal, on }: Moving,
): Promise<State> => {
  const { readers: port, hooks, clock } = ports
  const { moved, moving } = now.readers
  if (moving !== undefined && isIn(moved, moving)) {
    await hooks.run('start-readers', started(now.at), { group: moving })
    return { ...now, readers: { moved } }
  }
  const waiting = (port?.wanted ?? []).filter(group => !isIn(moved, group))
  const [first] = waiting
  if (!port || first === undefined) return { ...now, at: 'reads-moved', readers: { moved } }
  const hooked = hooks.has('stop-readers') || hooks.has('start-readers')
  if (hooked && moving !== first) return { ...now, readers: { moved, moving: first } }
  if (hooked) await hooks.run('stop-readers', stopped(now.at), { group: first })
  const candidates = hooked ? [first] : waiting
  for (;;) {
    signal.throwIfAborted()
    const sights = await port.look(waiting)
    const why = new Map<string, string>()
    for (const group of candidates) {
      if (!isStill(sights, group)) continue
      const done = await port.move(group)
      if (done.kind === 'refused') throw notMoved(group, done.why)
      if (done.kind === 'moved')
        return { ...now, readers: { moved: [...moved, done.readers], ...(hooked && { moving: group }) } }
      why.set(group, done.why)
    }
    on?.({ kind: 'readers-first', waiting: sights.map(each => ({ ...each, why: why.get(each.group) })) })
    await clock.sleep(LOOK_MS)
  }
}

const isStill = (sights: readonly ReadersSight[], group: string): boolean => {
  const sight = sights.find(each => each.group === group)
  return sight !== undefined && sight.source.length + sight.target.length === 0
}

const notMoved = (group: string, why: string): KmigError =>
  new KmigError('PREFLIGHT', `readers of ${group} can't be moved: ${why}`, {
    try: [
      'delete a group on the new cluster that is ahead: nobody may have read there yet',
      'or leave it to move with the others: without --readers-first for it',
    ],
  })

/** Throws STILL_READ where a group that has moved is read on the old cluster again: its records would be read twice. */
export const refuseReadTwice = async (now: { readers?: ReadersState | undefined }, ports: Ports) => {
  const moved = now.readers?.moved ?? []
  const found = moved.length > 0 ? await ports.readers?.again(moved) : []
  if (!found || found.length === 0) return
  throw new KmigError(
    'STILL_READ',
    `groups that have moved read the old cluster again: ${found.join('; ')}`,
    {
      try: [
        'stop these members; what they have read is read twice',
        'kmig cutover abort --readers-back brings the groups back, each to where it has read furthest',
      ],
    },
  )
}

/** A group that was being moved when its run ended is started where its offsets are. */
export const restartReaders = async (group: string, ports: Ports): Promise<void> => {
  const moved = (await ports.readers?.moved()) ?? []
  await ports.hooks.run('start-readers', (isIn(moved, group) ? started : stopped)('aborting'), { group })
}

export type BringBackOptions = Moving & {
  state: string
  readers: ReadersState
  /** Journals who is still to be brought back. */
  left(readers: ReadersState | undefined): Promise<void>
}

/**
 * Readers that have moved go back, before any writer has: stopped on the new cluster, their offsets set on the old one,
 * started there. Doing it again after a crash goes on.
 */
export const bringReadersBack = async (o: BringBackOptions): Promise<void> => {
  const { ports, signal, on } = o
  const { readers: port, hooks, clock } = ports
  if (!port) return
  const there = await port.moved()
  const all = [...o.readers.moved, ...there.filter(({ group }) => !isIn(o.readers.moved, group))]
  for (const [i, { group }] of all.entries()) {
    if (isIn(there, group)) await hooks.run('stop-readers', started(o.state), { group })
    for (let back = !isIn(there, group); !back; ) {
      signal.throwIfAborted()
      const done = await port.back(group)
      if (done.kind === 'refused') throw notMoved(group, done.why)
      back = done.kind === 'moved'
      if (done.kind !== 'waiting') continue
      const [sight] = await port.look([group])
      if (sight) on?.({ kind: 'readers-first', waiting: [{ ...sight, why: done.why }] })
      await clock.sleep(LOOK_MS)
    }
    await hooks.run('start-readers', stopped(o.state), { group })
    const rest = all.slice(i + 1)
    await o.left(rest.length > 0 ? { moved: rest } : undefined)
  }
}

/** Those that stay on the new cluster though the run has ended, for an error. */
export const stayText = (readers: ReadersState | undefined): string | undefined => {
  const groups = readers?.moved.map(({ group }) => group) ?? []
  return groups.length === 0
    ? undefined
    : `readers of ${groups.join(', ')} stay on the new cluster, and read nothing new there until a mirror or cutover runs again; kmig cutover abort --readers-back brings them back`
}

/** The members that are waited for, in words. */
export const sightText = ({
  group,
  source,
  target,
  why,
}: ReadersSight & { why?: string | undefined }): string => {
  const members = [
    ...source.map(member => `${member} on the old cluster`),
    ...target.map(member => `${member} on the new cluster`),
  ]
  return `${group} (${why ?? (members.length > 0 ? members.join(', ') : 'no member any more')})`
}
