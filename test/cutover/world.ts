import { join } from 'node:path'
import { complete } from '../../src/cutover/complete.ts'
import { hookDriver } from '../../src/cutover/driver-hook.ts'
import { manualDriver } from '../../src/cutover/driver-manual.ts'
import type { CutoverEvent } from '../../src/cutover/events.ts'
import { execute, putBack, type RunLog, settle } from '../../src/cutover/execute.ts'
import type { FenceDriver, FencePlan } from '../../src/cutover/fence-port.ts'
import type { RightsPort } from '../../src/cutover/fences/rights.ts'
import type { Ends, HookName, HookPort, LaggingGroup, Ports, ReadersPort } from '../../src/cutover/ports.ts'
import { bringReadersBack } from '../../src/cutover/readers.ts'
import type { ReversePort } from '../../src/cutover/reverse-port.ts'
import { type RolledBack, rollBack } from '../../src/cutover/rollback.ts'
import type { State } from '../../src/cutover/states.ts'
import { planEdits, readDirectory, yamlDirectory } from '../../src/discovery/index.ts'
import { KmigError, Offset } from '../../src/kit/index.ts'
import type { MovedReaders, ReadersMoved } from '../../src/mirror/index.ts'
import { NEW, OLD } from '../discovery/cases.ts'
import { proofByEnds } from './proof-by-ends.ts'

const rightsPlan = (make: string[]): FencePlan => ({
  ...{ driver: 'rights', side: 'new', topics: [], actions: [], prior: { make } },
})
const madeBy = (plan: FencePlan | undefined): string[] =>
  plan ? (plan.prior as { make: string[] }).make : []

/** Thrown by everything once the process of the story is dead. */
export class Dead extends Error {}

export type Group = { offset: bigint; live: boolean }

/** Two clusters, their groups and a directory of files, in which a process can die between any two effects. */
export class World {
  readonly old = new Map([
    ['orders-0', 100n],
    ['orders-1', 7n],
  ])
  readonly next = new Map<string, bigint>()
  readonly oldGroups = new Map<string, Group>([['billing', { offset: 90n, live: false }]])
  readonly nextGroups = new Map<string, bigint>()
  /** Groups that the operator wants to move first; those that have, as the new cluster remembers. */
  readersFirst: string[] = []
  readonly moved = new Map<string, MovedReaders>()
  /** Groups with members on the new cluster. */
  readonly nextLive = new Set<string>()
  held = false
  /** Clients were let in on the new cluster. */
  opened = false
  /** Writers of a side are kept off by a program of the operator. */
  readonly fenced = { old: false, new: false }
  /** Whose writers were let go last. */
  letGo: 'old' | 'new' | undefined
  hooks: 'none' | 'proving' | 'silent' = 'none'
  fenceAttempts = 1
  /** ACLs of the new cluster, where they are copied: the old one has 'read' and 'write'. */
  acls: Set<string> | undefined
  hookFails: HookName | undefined
  gate: string | undefined
  drift: string[] = []
  /** What a preflight finds, and how often it was made. */
  unfit: string[] = []
  looks = 0
  readonly decisions = new Map<number, string>()
  readonly kept = new Map<string, unknown>()
  readonly told: string[] = []
  /** The copy back: off, or where it was armed. */
  back: 'none' | 'ready' | Map<string, { old: bigint; next: bigint }> = 'none'
  handedBack = false
  mark: string | null = null
  mirroring = false
  /** Effects that the process may still have; then it is dead. */
  credit = Number.POSITIVE_INFINITY
  /** Something that happens by itself before an effect. */
  before: (what: string) => void = () => {}
  on: ((event: CutoverEvent) => void) | undefined
  ms = 0
  readonly journal: State[] = []
  readonly root: string
  readonly runDir: string
  constructor(root: string, runDir: string) {
    this.root = root
    this.runDir = runDir
  }

  #pay(): void {
    if (this.credit-- <= 0) throw new Dead()
  }
  /** An effect: the process may die before it, or after it. */
  async #act<T>(what: string, effect: () => T | Promise<T>): Promise<T> {
    this.#pay()
    this.before(what)
    const value = await effect()
    this.#pay()
    return value
  }

  #ends(logs: ReadonlyMap<string, bigint>): Ends {
    return new Map(
      [...this.old.keys()].map(where => [
        where,
        { leo: logs.get(where) ?? 0n, stable: logs.get(where) ?? 0n },
      ]),
    )
  }
  #copy(): void {
    for (const [where, end] of this.old) if (end > (this.next.get(where) ?? 0n)) this.next.set(where, end)
  }
  #sync(from: ReadonlyMap<string, bigint>, to: (group: string, at: bigint) => void) {
    for (const [group, at] of from) to(group, at)
    const rows = [...from].map(([group, at]) => {
      return {
        group,
        topic: 'orders',
        partition: 0,
        source: Offset(at),
        outcome: { kind: 'committed' as const, at: Offset(at) },
      }
    })
    return { rows, refused: [], excluded: [] }
  }

  get ports(): Ports {
    const store = yamlDirectory(this.root, { journalDir: this.runDir })
    return {
      mirror: {
        start: () =>
          this.#act('start', () => {
            if (this.mark !== null && this.mark !== 'run') throw new KmigError('CUT_OVER', 'ended')
            this.held = true
            this.mirroring = true
          }),
        caughtUp: () => this.#act('caughtUp', () => this.#copy()),
        reached: () => this.#act('reached', () => this.#copy()),
        stop: () =>
          this.#act('stop', () => {
            this.mirroring = false
            this.#copied = new Map(this.old)
          }),
        copied: () => this.#copied,
        open: () =>
          this.#act('open', () => {
            this.opened = true
          }),
        lagging: () => this.#act('lagging', () => this.#lagging()),
        syncGroups: () =>
          this.#act('syncGroups', () =>
            this.#sync(
              new Map(
                [...this.oldGroups].flatMap(([group, { offset }]) =>
                  this.moved.has(group) ? [] : [[group, offset]],
                ),
              ),
              (group, at) => this.nextGroups.set(group, at),
            ),
          ),
        syncGroupsBack: () =>
          this.#act('syncGroupsBack', () =>
            this.#sync(this.nextGroups, (group, at) => {
              const mine = this.oldGroups.get(group)
              if (mine && at > mine.offset && !this.moved.has(group)) mine.offset = at
            }),
          ),
        release: () =>
          this.#act('release', () => {
            this.held = false
          }),
        hold: () =>
          this.#act('hold', () => {
            this.held = true
          }),
        mark: run =>
          this.#act('mark', () => {
            this.mark = run
          }),
      },
      hooks: this.#hookPort,
      gate: { closed: async () => this.gate },
      drift: async () => this.drift,
      unfit: async () => {
        this.looks++
        return this.unfit
      },
      record: {
        keep: (name, value) => this.#act('keep', () => void this.kept.set(name, value)),
        saw: async () => {},
        decide: (what, { sinceMs }) =>
          this.#act('decide', () => {
            if (!this.decisions.has(sinceMs)) this.decisions.set(sinceMs, what)
            return this.decisions.get(sinceMs) === what
          }),
        decided: async ({ sinceMs }) => this.decisions.get(sinceMs) as 'switch' | 'release' | undefined,
      },
      fences: {
        old: this.#driver('old'),
        next: this.#driver('new'),
        of: ({ driver, side }) => (driver === 'rights' ? this.#rightsDriver : this.#driver(side)),
      },
      rights: this.acls && this.#rights,
      proof: {
        old: proofByEnds({
          look: () => this.#act('oldEnds', () => this.#ends(this.old)),
          clock: this.#clock,
        }),
        next: proofByEnds({
          look: () => this.#act('nextEnds', () => this.#ends(this.next)),
          clock: this.#clock,
        }),
      },
      reverse: this.back === 'none' ? undefined : this.#reverse,
      ends: {
        old: () => this.#act('oldEnds', () => this.#ends(this.old)),
        next: () => this.#act('nextEnds', () => this.#ends(this.next)),
      },
      discovery: {
        commit: plan => this.#act('commit', () => store.commit(plan)),
        recover: () => this.#act('recover', () => store.recover()),
        revert: () => this.#act('revert', () => store.revert()),
      },
      readers: this.#readers,
      clock: this.#clock,
    }
  }

  get #readers(): ReadersPort {
    const sight = (group: string) => ({
      group,
      source: this.oldGroups.get(group)?.live ? ['reader@old'] : [],
      target: this.nextLive.has(group) ? ['reader@new'] : [],
    })
    const set = (group: string, work: () => MovedReaders): ReadersMoved => {
      const { source, target } = sight(group)
      return source.length + target.length > 0
        ? { kind: 'waiting', why: 'members' }
        : { kind: 'moved', readers: work() }
    }
    const readersOf = (group: string, from: bigint, to: bigint): MovedReaders => ({
      ...{ group, run: 'run', at: '' },
      partitions: [{ topic: 'orders', partition: 0, from: String(from), to: String(to) }],
    })
    return {
      wanted: this.readersFirst,
      moved: () => this.#act('moved', () => [...this.moved.values()]),
      look: groups => this.#act('look', () => groups.map(sight)),
      move: async group => {
        const at = this.oldGroups.get(group)?.offset ?? 0n
        if (at > (this.next.get('orders-0') ?? 0n)) return { kind: 'waiting', why: 'the copy is behind' }
        await this.#act(
          'commit',
          () => set(group, () => readersOf(group, at, at)).kind === 'moved' && this.nextGroups.set(group, at),
        )
        return await this.#act('remember', () =>
          set(group, () => {
            const readers = readersOf(group, at, at)
            this.moved.set(group, readers)
            return readers
          }),
        )
      },
      back: async group => {
        const at = this.nextGroups.get(group) ?? 0n
        await this.#act('commit back', () => {
          const mine = this.oldGroups.get(group)
          if (mine && set(group, () => readersOf(group, at, at)).kind === 'moved') mine.offset = at
        })
        return await this.#act('forget', () =>
          set(group, () => {
            this.moved.delete(group)
            return readersOf(group, at, at)
          }),
        )
      },
      again: moved =>
        this.#act('again', () =>
          moved.flatMap(({ group, partitions: [place] }) => {
            const { live, offset } = this.oldGroups.get(group) ?? { live: false, offset: 0n }
            return live || String(offset) !== place?.from ? [group] : []
          }),
        ),
      forget: () => this.#act('forget', () => this.moved.clear()),
    }
  }

  #copied = new Map<string, bigint>()
  readonly #clock = {
    wall: () => this.ms,
    now: () => this.ms,
    sleep: async (ms: number) =>
      this.#act('sleep', () => {
        this.ms += ms
      }),
  }
  #driver(side: 'old' | 'new'): FenceDriver {
    return this.hooks === 'none'
      ? manualDriver(side, ['orders'])
      : hookDriver(side, ['orders'], this.#hookPort, 0)
  }
  readonly #hookPort: HookPort = {
    has: () => this.hooks !== 'none',
    run: async (name, { side }, only) => {
      if (this.hooks === 'none') return undefined
      return await this.#act(`hook ${name}`, () => {
        this.told.push([name, side, ...(only ? [only.group] : [])].join(' '))
        if (only) this.#tellReader(name, side, only.group)
        if (this.hookFails === name) throw new KmigError('HOOK_FAILED', `hook ${name} ended with 1`)
        if (name === 'fence') this.fenced[side] = true
        if (name === 'unfence') {
          this.fenced.old = false
          this.fenced.new = false
          this.letGo = side
        }
        return {
          ...{ name, sha256: '', rc: 0, ms: 1, at: '', attempt: 1 },
          writersLeft: name === 'fence' && this.hooks === 'proving' ? 0 : undefined,
        }
      })
    },
  }

  #tellReader(name: HookName, side: 'old' | 'new', group: string): void {
    const mine = this.oldGroups.get(group)
    if (side === 'old' && mine) mine.live = name === 'start-readers'
    else if (name === 'start-readers') this.nextLive.add(group)
    else this.nextLive.delete(group)
  }

  readonly #rights: RightsPort = {
    problems: async () => [],
    plan: async ({ before }) => {
      const make = this.acls?.has('read') ? [] : ['read']
      return rightsPlan([...new Set([...madeBy(before), ...make])])
    },
    writing: plan => rightsPlan(madeBy(plan).filter(each => each === 'write')),
    lifted: async plan => {
      const make = this.acls?.has('write') ? [] : ['write']
      return rightsPlan([...new Set([...madeBy(plan), ...make])])
    },
  }
  readonly #rightsDriver: FenceDriver = {
    ...manualDriver('new', []),
    engage: plan =>
      this.#act('make rights', () => {
        for (const each of madeBy(plan)) this.acls?.add(each)
        return { evidence: [] }
      }),
    release: plan =>
      this.#act('take rights', () => {
        for (const each of madeBy(plan)) this.acls?.delete(each)
      }),
  }

  readonly #reverse: ReversePort = {
    arm: cut =>
      this.#act('arm', () => {
        this.back = new Map(cut)
        return { producerId: '1', stranded: [], stateTopic: '__kmig.back' }
      }),
    prepare: async () => {},
    problems: async () => [],
    carry: async () => [],
    strays: async () => [],
    start: () => this.#act('start back', () => {}),
    lag: () => this.#act('lag', () => ({ records: 0n, stopped: [], seen: new Map() })),
    drained: ends =>
      this.#act('drained', () => {
        for (const [where, end] of ends) if (end > (this.old.get(where) ?? 0n)) this.old.set(where, end)
        return []
      }),
    syncGroups: () =>
      this.#act('syncGroups back', () =>
        this.#sync(this.nextGroups, (group, at) => {
          const mine = this.oldGroups.get(group)
          if (mine) mine.offset = at
        }),
      ),
    stop: () => this.#act('stop back', () => {}),
    handBack: () =>
      this.#act('handBack', () => {
        this.handedBack = true
      }),
  }

  #lagging(): LaggingGroup[] {
    const end = this.old.get('orders-0') ?? 0n
    return [...this.oldGroups].flatMap(([group, { offset, live }]) =>
      live && offset < end ? [{ group, members: 1, lag: end - offset }] : [],
    )
  }

  get log(): RunLog {
    return {
      id: 'run',
      last: this.journal.at(-1),
      append: async state =>
        void (await this.#act(`append ${state.at}`, () =>
          this.journal.push(JSON.parse(JSON.stringify(state))),
        )),
    }
  }

  /** What the command does: settles what a crash left, plans, goes on. */
  async execute(options: { signal?: AbortSignal; budgetMs?: number } = {}): Promise<State> {
    const { ports } = this
    await settle(this.log.last, ports)
    const files = await planEdits(await readDirectory(this.root), { old: OLD, next: NEW })
    const plan = { root: files.root, files: files.files }
    const { signal = new AbortController().signal, budgetMs = 45_000 } = options
    const budget = this.#budget(budgetMs)
    const { fenceAttempts, on } = this
    const how = { ports, plan, stillForMs: 1_000, readersWithinMs: 2_000, budget, fenceAttempts, signal, on }
    for (;;) {
      const ended = await execute({ ...how, run: this.log })
      if (ended.at !== 'backing-off') return ended
    }
  }
  async rollBack({ lossy = false } = {}): Promise<RolledBack> {
    const { signal } = new AbortController()
    const budget = this.#budget(45_000)
    return await rollBack({ run: this.log, ports: this.ports, stillForMs: 1_000, lossy, budget, signal })
  }
  async abort(): Promise<void> {
    const { log, ports } = this
    if (log.last)
      await putBack(log.last, new KmigError('ABORTED', 'told to'), { run: log, ports, on: undefined })
  }
  async readersBack(): Promise<void> {
    const { log, ports } = this
    const { last } = log
    if (last?.at !== 'aborted') throw new Error(`it is ${last?.at}`)
    const { signal } = new AbortController()
    const left = async (readers: typeof last.readers) => await log.append({ ...last, readers }, this.ms)
    const readers = last.readers ?? { moved: [] }
    await bringReadersBack({ ports, signal, on: undefined, state: last.at, readers, left })
  }
  async complete(): Promise<State | undefined> {
    return await complete({ run: this.log, ports: this.ports, on: undefined })
  }
  #budget(maxMs: number) {
    return ({ sinceMs }: { sinceMs: number }) => ({ sinceMs, maxMs, windowMs: 1_000 })
  }

  get states(): string[] {
    return this.journal.map(({ at }) => at)
  }
  get file(): string {
    return join(this.root, 'generic.yaml')
  }
}
