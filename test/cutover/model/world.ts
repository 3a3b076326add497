import { hash } from 'node:crypto'
import { hookDriver } from '../../../src/cutover/driver-hook.ts'
import type { Ends, HookName, Ports, ReadersPort } from '../../../src/cutover/ports.ts'
import type { State } from '../../../src/cutover/states.ts'
import { KmigError, Offset } from '../../../src/kit/index.ts'
import type { MovedReaders } from '../../../src/mirror/index.ts'
import { proofByEnds } from '../proof-by-ends.ts'

export type Side = 'old' | 'new'

/**
 * All that outlives a process: two logs of one partition, two discovery files, clients, what kmig has journaled and
 * written down. Records are numbers; each was acknowledged to whoever wrote it. A stranger's are negative.
 */
export type Durable = {
  old: number[]
  next: number[]
  files: [Side, Side]
  /** The intent to write files, fully staged. */
  staged: boolean
  /** Where each client writes; each reads the file of its number when it is started. */
  clients: [Side | 'stopped', Side | 'stopped']
  mark: string | null
  groups: { old: number; next: number }
  /** Where the group's readers are, what they have read, and since when they are first to move; `none`: nobody reads. */
  reader: Side | 'stopped' | 'none'
  read: number[]
  readersFirst: boolean
  moved: MovedReaders | null
  armed: { old: number; next: number; copied: number } | null
  decisions: Record<string, 'switch' | 'release'>
  /** Fences so far. */
  clock: number
  last: State | undefined
  /** The old cluster was looked at for the last time; what a straggler writes after that, the watch over it names. */
  looked: boolean
  late: number[]
  /** Writers were started behind kmig's back: those that still run on the old cluster are stragglers. */
  started: boolean
  /** Somebody but kmig and its clients has done something. */
  disturbed: boolean
  records: number
  /** Whether there is a copy back. */
  wayBack: boolean
  left: Left
}
/** What may still happen. */
export type Left = {
  crashes: number
  writes: number
  stragglers: number
  strangers: number
  watchdogs: number
  /** Writers that are started behind kmig's back, while it is dead. */
  starts: number
  executes: number
  rollbacks: number
  /** Records that the group may still read. */
  reads: number
}

export const begun = (left: Partial<Left>, { readersFirst = false, wayBack = true } = {}): Durable => ({
  ...{ reader: readersFirst ? 'old' : 'none', read: [], readersFirst, moved: null },
  ...{ old: [0, 1], next: [], files: ['old', 'old'], staged: false, clients: ['old', 'old'], mark: null },
  ...{
    groups: { old: 1, next: -1 },
    armed: null,
    decisions: {},
    clock: 0,
    last: undefined,
    started: false,
    looked: false,
    late: [],
  },
  ...{ disturbed: false, records: 2, wayBack },
  left: {
    ...{
      crashes: 0,
      writes: 0,
      stragglers: 0,
      strangers: 0,
      watchdogs: 0,
      starts: 0,
      executes: 1,
      rollbacks: 0,
      reads: 0,
    },
    ...left,
  },
})

/** A world of its own; the last state is shared: each is written down whole, and never changed. */
export const copyOf = (d: Durable): Durable => ({
  ...d,
  old: [...d.old],
  next: [...d.next],
  files: [...d.files],
  clients: [...d.clients],
  groups: { ...d.groups },
  read: [...d.read],
  moved: d.moved && structuredClone(d.moved),
  armed: d.armed && { ...d.armed },
  decisions: { ...d.decisions },
  late: [...d.late],
  left: { ...d.left },
})

/** Things that happen by themselves. Each changes the world in place; undefined where it can't happen now. */
export const EVENTS: Record<string, (d: Durable) => boolean> = {
  'client 0 writes': d => clientWrites(d, 0),
  'client 1 writes': d => clientWrites(d, 1),
  'the group reads a record': d => {
    if (d.left.reads === 0 || d.reader === 'none' || d.reader === 'stopped') return false
    const [side, log] = d.reader === 'old' ? (['old', d.old] as const) : (['next', d.next] as const)
    const record = log[d.groups[side]]
    if (record === undefined) return false
    d.left.reads--
    d.read.push(record)
    d.groups[side]++
    return true
  },
  'a straggler writes to the old cluster': d => {
    if (d.left.stragglers === 0) return false
    d.left.stragglers--
    d.disturbed = true
    if (d.looked) d.late.push(d.records)
    d.old.push(d.records++)
    return true
  },
  'a stranger writes to the new cluster': d => {
    if (d.left.strangers === 0) return false
    d.left.strangers--
    d.disturbed = true
    d.next.push(-1 - d.left.strangers)
    return true
  },
  'the watchdog lets the writers go': d => {
    const fence = d.last && 'fence' in d.last ? d.last.fence : undefined
    if (d.left.watchdogs === 0 || !fence || !d.clients.includes('stopped')) return false
    const made = d.decisions[fence.sinceMs] ?? 'release'
    if (made !== 'release' || fence.plan.side !== 'old') return false
    d.left.watchdogs--
    d.disturbed = true
    d.decisions[fence.sinceMs] = 'release'
    restart(d)
    return true
  },
}
/** Things that only happen while kmig is dead. */
export const IDLE_EVENTS: typeof EVENTS = {
  ...EVENTS,
  'somebody starts the writers': d => {
    if (d.left.starts === 0 || !d.clients.includes('stopped')) return false
    d.left.starts--
    d.started = true
    d.disturbed = true
    restart(d)
    return true
  },
}

const clientWrites = (d: Durable, client: 0 | 1): boolean => {
  const at = d.clients[client]
  if (d.left.writes === 0 || at === 'stopped') return false
  d.left.writes--
  if (at === 'old' && d.looked && d.started) d.late.push(d.records)
  ;(at === 'old' ? d.old : d.next).push(d.records++)
  return true
}

const restart = (d: Durable): void => {
  d.clients = [...d.files]
}

/** Thrown by everything once a process is dead, or what it would do has been seen. */
export class Dead extends Error {}

/** What is taken out of the world or of the code, to see that it is missed. */
export type Sabotage = {
  /** Nobody looks where the new cluster ends, nor whose records it holds. */
  blindToStrangers?: boolean
  /** Nobody looks at the old cluster again after the proof. */
  blindToGrowth?: boolean
  /** Whoever asks is told that the decision is theirs. */
  noDecision?: boolean
  /** The intent to switch is written down after the files. */
  lateIntent?: boolean
  /** Groups that have moved are set like all others. */
  overwrites?: boolean
  /** A run goes on where it was, with the proofs that it had. */
  noDemotion?: boolean
}

export type Hooked = {
  /** Before each effect: may throw Dead, and may let things happen. */
  point(what: string): void
  /** What the process has seen. */
  saw(what: unknown): void
}

const WHERE = 'orders-0'
const endsOf = (log: readonly number[]): Ends =>
  new Map([[WHERE, { leo: BigInt(log.length), stable: BigInt(log.length) }]])

/** The world as a process sees it. */
export const portsOf = (d: Durable, { point, saw }: Hooked, sabotage: Sabotage): Ports => {
  const act = async <T>(what: string, effect: () => T): Promise<T> => {
    point(what)
    const value = effect()
    saw(value)
    return value
  }
  let now = 0
  let acked = d.next.length
  const foreign = (what: string) => new KmigError('FOREIGN_WRITE', what)
  /** As the mirror's rules have it: what is there must be its own, and lands where it was predicted. */
  const copy = () => {
    const own = d.next.every((record, i) => record === d.old[i])
    if (!sabotage.blindToStrangers && (!own || d.next.length !== acked))
      throw foreign('the log is not its own')
    d.next.push(...d.old.slice(d.next.length))
    acked = d.next.length
  }
  const moved = (at: number) => ({
    rows: [
      {
        ...{ group: 'billing', topic: 'orders', partition: 0, source: Offset(BigInt(at)) },
        outcome: { kind: 'committed' as const, at: Offset(BigInt(at)) },
      },
    ],
    ...{ refused: [], excluded: [] },
  })
  const hooks: Ports['hooks'] = {
    has: () => true,
    run: async (name: HookName, { side }) => {
      try {
        point(`hook ${name}`)
      } catch {
        await new Promise(() => {}) // a failed hook would be tried again, after a while
      }
      if (name === 'fence') d.clients = ['stopped', 'stopped']
      if (name === 'unfence' || name === 'reload-clients') restart(d)
      if (name === 'stop-readers') d.reader = 'stopped'
      if (name === 'start-readers') d.reader = side
      return {
        name,
        sha256: '',
        rc: 0,
        ms: 1,
        at: '',
        attempt: 1,
        writersLeft: name === 'fence' ? 0 : undefined,
      }
    },
  }
  const clock: Ports['clock'] = {
    wall: () => d.clock * 1_000,
    now: () => now,
    sleep: async ms => {
      now += ms
    },
  }
  const driver = (side: Side) => {
    const made = hookDriver(side, ['orders'], hooks)
    const plan = async () => {
      d.clock++
      return await made.plan()
    }
    return { ...made, plan }
  }
  const next = () => {
    if (sabotage.blindToStrangers) return endsOf(d.next.slice(0, acked))
    return endsOf(d.next)
  }
  const cut = () => (d.last && 'cut' in d.last ? Number(d.last.cut[WHERE]) : undefined)
  const old = () => {
    d.looked = d.last?.at === 'files-written'
    return endsOf(sabotage.blindToGrowth ? d.old.slice(0, cut() ?? d.old.length) : d.old)
  }
  const write = (files: Side) => {
    for (const i of [0, 1] as const) {
      point(`file ${i}`)
      d.files[i] = files
    }
    point('unstage')
    d.staged = false
  }
  const paths = ['a.yaml', 'b.yaml']
  return {
    mirror: {
      start: () =>
        act('start', () => {
          if (d.mark !== null && d.mark !== 'run') throw new KmigError('CUT_OVER', 'ended by a cutover')
          acked = d.next.length
          copy()
        }),
      caughtUp: () => act('caughtUp', copy),
      reached: () => act('reached', copy),
      stop: async () => {},
      copied: () => new Map([[WHERE, BigInt(acked)]]),
      lagging: async () => [],
      open: async () => {},
      syncGroups: () =>
        act('syncGroups', () => {
          if (d.moved && !sabotage.overwrites) return { rows: [], refused: [], excluded: [] }
          d.groups.next = d.groups.old
          return moved(d.groups.old)
        }),
      syncGroupsBack: () => act('syncGroupsBack', () => moved(d.groups.old)),
      release: async () => {},
      hold: async () => {},
      mark: run =>
        act('mark', () => {
          d.mark = run
        }),
    },
    readers: d.readersFirst ? readersOf(d, act) : undefined,
    hooks,
    gate: { closed: async () => undefined },
    drift: async () => [],
    record: {
      keep: async () => {},
      saw: async () => {},
      decide: (what, { sinceMs }) =>
        act('decide', () => {
          if (sabotage.noDecision) return true
          d.decisions[sinceMs] ??= what
          return d.decisions[sinceMs] === what
        }),
      decided: ({ sinceMs }) =>
        act('decided', () => (sabotage.noDecision ? undefined : d.decisions[sinceMs])),
    },
    fences: { old: driver('old'), next: driver('new'), of: ({ side }) => driver(side) },
    proof: {
      old: proofByEnds({ look: () => act('prove old', () => endsOf(d.old)), clock }),
      next: proofByEnds({ look: () => act('prove new', () => endsOf(d.next)), clock }),
    },
    ends: { old: () => act('ends old', old), next: () => act('ends new', next) },
    discovery: {
      commit: async () => {
        point('stage')
        d.staged = true
        write('new')
        return { changed: paths, already: [] }
      },
      recover: async () => {
        if (d.staged) write('new')
        return 'nothing' as never
      },
      revert: async () => {
        write('old')
        return { changed: paths, already: [] }
      },
    },
    reverse: d.wayBack
      ? {
          prepare: async () => {},
          problems: async () => [],
          carry: async () => [],
          strays: async () => [],
          arm: cut =>
            act('arm', () => {
              const at = cut.get(WHERE)
              const [old, next] = [Number(at?.old), Number(at?.next)]
              if (d.armed?.old !== old || d.armed.next !== next) d.armed = { old, next, copied: 0 }
              return { producerId: '1', stranded: [], stateTopic: '__kmig.back' }
            }),
          start: async () => {},
          lag: () =>
            act('lag', () => {
              const armed = d.armed
              const strange = armed && d.old.length !== armed.old + armed.copied
              return {
                records: 0n,
                seen: new Map(),
                partitions: 1,
                stopped: strange ? ['somebody wrote to the old cluster'] : [],
              }
            }),
          drained: ends =>
            act('drained', () => {
              if (!d.armed) throw new Error('not armed')
              if (d.old.length !== d.armed.old + d.armed.copied)
                throw foreign('somebody wrote to the old cluster')
              const end = Number(ends.get(WHERE))
              const more = d.next.slice(d.armed.next + d.armed.copied, end)
              d.old.push(...more)
              d.armed.copied += more.length
              return []
            }),
          syncGroups: () =>
            act('syncGroups back', () => {
              if (d.moved) d.groups.old = d.groups.next
              return moved(d.groups.old)
            }),
          stop: async () => {},
          handBack: () =>
            act('handBack', () => {
              d.armed = null
            }),
        }
      : undefined,
    clock,
  }
}

type Act = <T>(what: string, effect: () => T) => Promise<T>

const readersOf = (d: Durable, act: Act): ReadersPort => {
  const group = 'billing'
  const sight = () => ({
    group,
    source: d.reader === 'old' ? ['reader'] : [],
    target: d.reader === 'new' ? ['reader'] : [],
  })
  const at = (from: number, to: number): MovedReaders => ({
    ...{ group, run: 'run', at: '' },
    partitions: [{ topic: 'orders', partition: 0, from: String(from), to: String(to) }],
  })
  const stopped = () => d.reader === 'stopped'
  const waiting = { kind: 'waiting' as const, why: 'members' }
  return {
    wanted: [group],
    moved: () => act('moved', () => (d.moved ? [d.moved] : [])),
    look: () => act('look', () => [sight()]),
    move: async () => {
      const behind = await act('commit', () => {
        if (d.groups.old > d.next.length) return true
        if (stopped()) d.groups.next = d.groups.old
        return !stopped()
      })
      if (behind) return waiting
      return await act('remember', () => {
        if (!stopped()) return waiting
        d.moved = at(d.groups.old, d.groups.next)
        return { kind: 'moved' as const, readers: d.moved }
      })
    },
    back: async () => {
      await act('commit back', () => {
        if (stopped()) d.groups.old = d.groups.next
      })
      return await act('forget', () => {
        if (!stopped()) return waiting
        d.moved = null
        return { kind: 'moved' as const, readers: at(d.groups.next, d.groups.old) }
      })
    },
    again: () =>
      act('again', () =>
        d.moved && (d.reader === 'old' || d.moved.partitions[0]?.from !== String(d.groups.old))
          ? [group]
          : [],
      ),
    forget: () =>
      act('forget all', () => {
        d.moved = null
      }),
  }
}

export const hashOf = (text: string): string => hash('sha1', text, 'base64')
