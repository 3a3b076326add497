import { join } from 'node:path'
import { execute, type RunLog, settle } from '../../src/cutover/execute.ts'
import type { Ends, LaggingGroup, Ports } from '../../src/cutover/ports.ts'
import { type RolledBack, rollBack } from '../../src/cutover/rollback.ts'
import type { State } from '../../src/cutover/states.ts'
import { planEdits, readDirectory, yamlDirectory } from '../../src/discovery/index.ts'
import { KmigError, Offset } from '../../src/kit/index.ts'
import { NEW, OLD } from '../discovery/cases.ts'

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
  held = false
  mark: string | null = null
  mirroring = false
  /** Effects that the process may still have; then it is dead. */
  credit = Number.POSITIVE_INFINITY
  /** Something that happens by itself before an effect. */
  before: (what: string) => void = () => {}
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
          }),
        lagging: () => this.#act('lagging', () => this.#lagging()),
        syncGroups: () =>
          this.#act('syncGroups', () =>
            this.#sync(
              new Map([...this.oldGroups].map(([group, { offset }]) => [group, offset])),
              (group, at) => this.nextGroups.set(group, at),
            ),
          ),
        syncGroupsBack: () =>
          this.#act('syncGroupsBack', () =>
            this.#sync(this.nextGroups, (group, at) => {
              const mine = this.oldGroups.get(group)
              if (mine && at > mine.offset) mine.offset = at
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
      ends: {
        old: () => this.#act('oldEnds', () => this.#ends(this.old)),
        next: () => this.#act('nextEnds', () => this.#ends(this.next)),
      },
      discovery: {
        commit: plan => this.#act('commit', () => store.commit(plan)),
        recover: () => this.#act('recover', () => store.recover()),
        revert: () => this.#act('revert', () => store.revert()),
      },
      clock: {
        wall: () => this.ms,
        now: () => this.ms,
        sleep: async ms =>
          this.#act('sleep', () => {
            this.ms += ms
          }),
      },
    }
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
  async execute(options: { signal?: AbortSignal } = {}): Promise<State> {
    const { ports, log } = this
    await settle(log.last, ports.discovery)
    const files = await planEdits(await readDirectory(this.root), { old: OLD, next: NEW })
    const plan = { root: files.root, files: files.files }
    const { signal = new AbortController().signal } = options
    return await execute({ run: log, ports, plan, stillForMs: 1_000, readersWithinMs: 2_000, signal })
  }
  async rollBack(): Promise<RolledBack> {
    return await rollBack({ run: this.log, ports: this.ports, signal: new AbortController().signal })
  }

  get states(): string[] {
    return this.journal.map(({ at }) => at)
  }
  get file(): string {
    return join(this.root, 'generic.yaml')
  }
}
