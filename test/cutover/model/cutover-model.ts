import { execute, type RunLog, settle } from '../../../src/cutover/execute.ts'
import { rollBack } from '../../../src/cutover/rollback.ts'
import type { State } from '../../../src/cutover/states.ts'
import { step } from '../../../src/cutover/steps.ts'
import type { FileChange } from '../../../src/discovery/index.ts'
import { isKmigError } from '../../../src/kit/index.ts'
import { copyOf, Dead, type Durable, EVENTS, hashOf, IDLE_EVENTS, portsOf, type Sabotage } from './world.ts'

export type Command = 'execute' | 'rollback'
/** Where a world stands with no process alive. `how`: how the last one ended. */
export type Idle = { d: Durable; how: string; trace: string[] }
export type Explored = { idle: Idle[]; runs: number; broken: (Idle & { why: string }) | undefined }

/** Commands that the operator may give, as kmig lets them. */
const commandsOf = ({ last, left }: Durable): Command[] => {
  const at = last?.at ?? 'none'
  const back = at.startsWith('back-')
  const switched = ['switching', 'files-written', 'opening', 'switched', 'target-live', 'soaking'].includes(
    at,
  )
  return [
    ...(left.executes > 0 && !back ? (['execute'] as const) : []),
    ...((left.rollbacks > 0 && switched) || back ? (['rollback'] as const) : []),
  ]
}

const change = (path: string): FileChange => ({ path, shaBefore: 'a', shaAfter: 'b', edits: [], fields: [] })

/** One command, in the real code, over the world; its journal keeps the last state, which is all that the code asks. */
const play = async (
  d: Durable,
  command: Command,
  { point, saw, sabotage }: { point(what: string): void; saw(what: unknown): void; sabotage: Sabotage },
): Promise<string> => {
  const ports = portsOf(d, { point, saw }, sabotage)
  const log: RunLog = {
    id: 'run',
    get last() {
      return d.last
    },
    append: async state => {
      point(`append ${state.at}`)
      if (sabotage.lateIntent && state.at === 'switching') return // the next one is there in time
      d.last = Object.freeze(JSON.parse(JSON.stringify(state)))
    },
  }
  const { signal } = new AbortController()
  const budget = ({ sinceMs }: { sinceMs: number }) => ({ sinceMs, maxMs: 1e9, windowMs: 1_000 })
  const more = { run: log, ports, stillForMs: 1_000, budget, signal }
  try {
    if (command === 'rollback') await rollBack(more)
    else {
      if (d.last?.at === 'aborted' || d.last?.at === 'rolled-back') d.last = undefined // a new run
      await settle(d.last, ports)
      const files = d.files.flatMap((side, i) => (side === 'old' ? [change(`${i}`)] : []))
      const options = { ...more, plan: { root: '/', files }, readersWithinMs: 1_000 }
      if (sabotage.noDemotion && d.last && PROVED.has(d.last.at)) {
        for (let now: State = d.last; now.at !== 'switched'; ) {
          now = await step(now, options)
          await log.append(now, 0)
        }
      } else await execute(options)
    }
    return `${command}: ${d.last?.at}`
  } catch (e) {
    if (isKmigError(e) && e.code !== 'BUG') return `${command}: ${e.code}`
    throw e
  }
}
const PROVED: ReadonlySet<string> = new Set([
  'fenced',
  'still',
  'drained',
  'offsets-set',
  'checked',
  'sealing',
])

type Script = string[]
const GO = 'go'
const CRASH = 'kmig is killed'

/**
 * Every way that commands, deaths and events can follow each other. A command is the real code, which can't be copied in
 * mid-flight: it is run again from its beginning for each new turn that events take, and left once world and all that it
 * has seen are as they were in an earlier run, since what it does from there on is known.
 */
export const exploreCutover = async (
  start: Durable,
  { broken, sabotage = {} }: { broken(idle: Idle): string | undefined; sabotage?: Sabotage },
): Promise<Explored> => {
  const queue: Idle[] = []
  const known = new Set<string>()
  const keyOf = (d: Durable) => JSON.stringify(d)
  const add = (idle: Idle): void => {
    const key = `${keyOf(idle.d)} ${idle.how}`
    if (known.has(key)) return
    known.add(key)
    queue.push(idle)
  }
  add({ d: start, how: 'begin', trace: [] })
  let runs = 0
  for (let i = 0; i < queue.length; i++) {
    const idle = queue[i] as Idle
    const why = broken(idle)
    if (why !== undefined) return { idle: queue, runs, broken: { ...idle, why } }
    for (const [what, happens] of Object.entries(idle.how === 'killed' ? IDLE_EVENTS : EVENTS)) {
      const d = copyOf(idle.d)
      if (happens(d)) add({ d, how: idle.how, trace: [...idle.trace, what] })
    }
    for (const command of commandsOf(idle.d)) {
      const seen = new Set<string>()
      const scripts: Script[] = [[]]
      for (let script = scripts.pop(); script; script = scripts.pop()) {
        const { ended, d, trace, branches, crashes } = await runOnce(idle.d, command, {
          script,
          seen,
          sabotage,
        })
        runs++
        scripts.push(...branches)
        for (const each of crashes) add({ ...each, trace: [...idle.trace, ...each.trace] })
        if (ended !== undefined) add({ d, how: ended, trace: [...idle.trace, ...trace] })
      }
    }
  }
  return { idle: queue, runs, broken: undefined }
}

const runOnce = async (
  start: Durable,
  command: Command,
  { script, seen, sabotage }: { script: Script; seen: Set<string>; sabotage: Sabotage },
) => {
  const d = copyOf(start)
  if (command === 'execute') d.left.executes--
  else if (d.left.rollbacks > 0) d.left.rollbacks--
  const branches: Script[] = []
  const crashes: Idle[] = []
  const trace: string[] = [`kmig ${command}`]
  let observed = ''
  let over = false
  const gone = Promise.withResolvers<undefined>()
  let effects = 0
  let choices = 0
  const taken: string[] = []
  const crash = (before: string): void => {
    if (d.left.crashes === 0) return
    const dead = copyOf(d)
    dead.left.crashes--
    crashes.push({ d: dead, how: 'killed', trace: [...trace, `${CRASH} before ${before}`] })
  }
  const point = (what: string): void => {
    if (over) throw new Dead()
    effects++
    for (;;) {
      const given = script[choices++]
      if (given === undefined) {
        const key = hashOf(`${effects} ${observed} ${JSON.stringify(d)}`)
        if (seen.has(key)) {
          over = true
          gone.resolve(undefined)
          throw new Dead()
        }
        seen.add(key)
        crash(what)
        for (const [event, happens] of Object.entries(EVENTS))
          if (happens(copyOf(d))) branches.push([...taken, event])
        taken.push(GO)
        break
      }
      taken.push(given)
      if (given === GO) break
      trace.push(`${given} before ${what}`)
      EVENTS[given]?.(d)
    }
    trace.push(what)
  }
  const saw = (what: unknown): void => {
    observed = hashOf(
      `${observed}${JSON.stringify(what, (_, v) => (typeof v === 'bigint' ? `${v}n` : v instanceof Map ? [...v] : v))}`,
    )
  }
  try {
    const playing = play(d, command, { point, saw, sabotage })
    playing.catch(() => {}) // it is not waited for any more
    const how = await Promise.race([playing, gone.promise])
    return { ended: over ? undefined : how, d, trace, branches, crashes }
  } catch (e) {
    if (!over) throw e
    return { ended: undefined, d, trace, branches, crashes }
  }
}
