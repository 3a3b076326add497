import { type During, EXIT, isKmigError, KmigError, messageOf } from '../kit/index.ts'
import type { CutoverEvent } from './events.ts'
import type { Ports } from './ports.ts'
import { type FilesPlan, isEnd, type State, type StateName } from './states.ts'
import { step } from './steps.ts'

/** The journal of a run, as the machine needs it. */
export type RunLog = {
  readonly id: string
  readonly last: State | undefined
  append(state: State, atMs: number): Promise<void>
}

export type ExecuteOptions = During<CutoverEvent> & {
  run: RunLog
  ports: Ports
  /** Made after what a crash left in the files was settled. */
  plan: FilesPlan
  /** How long log ends must stand still, ms. */
  stillForMs: number
  /** How long live readers of the old cluster get to read up to the cut, ms. */
  readersWithinMs: number
}

/**
 * Drives a run to its end, journaling each state before the next step begins. After a crash the same call goes on.
 * What fails before the files are written puts everything back and is thrown, with exit 9 unless loss is at stake.
 */
export const execute = async (options: ExecuteOptions): Promise<State> => {
  let now = resumed(options)
  await enter(now, options)
  while (!isEnd(now)) {
    const from: State = now
    try {
      if (!COMMITTED.has(from.at)) options.signal.throwIfAborted()
      now = await step(from, options)
    } catch (e) {
      throw await aborted(from, e, options)
    }
    await enter(now, options)
  }
  return now
}

/**
 * What a crash left in the files is finished, or taken back, before anybody plans anew: a switch that was fully staged
 * is finished, one that was being put back is put back.
 */
export const settle = async (last: State | undefined, discovery: Ports['discovery']): Promise<void> => {
  if (last?.at === 'aborting') await discovery.revert()
  else await discovery.recover()
}

/** From here on a failure is made good by going on, not by going back. */
const COMMITTED: ReadonlySet<StateName> = new Set(['files-written'])
/** What clients see, or a mirror finds, may have been changed. */
const TOUCHED: ReadonlySet<StateName> = new Set([
  'offsets-set',
  'configs-released',
  'switching',
  'files-written',
])
/** Nothing of the cutover proper had begun: the error keeps its own exit code. */
const PREPARING: ReadonlySet<StateName> = new Set(['planned', 'mirroring'])

const enter = async (state: State, { run, ports, on }: ExecuteOptions): Promise<void> => {
  await run.append(state, ports.clock.wall())
  on?.({ kind: 'state', run: run.id, state })
}

/**
 * Where to go on. Proofs expire with the process that made them, so everything before the switch starts over. A switch
 * whose files are all written goes on from there; the plan, made after recovery, tells by having nothing left to do.
 */
const resumed = ({ run, plan }: ExecuteOptions): State => {
  const { last } = run
  if (last?.at === 'files-written') return last
  if (last?.at === 'switching' && plan.files.length === 0) return { ...last, at: 'files-written' }
  return { at: 'planned', plan }
}

/** Puts back what was changed, and tells the error as what ended the cutover. */
const aborted = async (from: State, e: unknown, options: ExecuteOptions): Promise<unknown> => {
  if (COMMITTED.has(from.at) && !isKmigError(e, 'STILL_WRITTEN')) return goOn(e)
  const { ports } = options
  const why = { plan: from.plan, why: messageOf(e), code: isKmigError(e) ? e.code : 'BUG' }
  try {
    if (TOUCHED.has(from.at)) {
      await enter({ at: 'aborting', ...why }, options)
      await ports.discovery.revert()
      await ports.mirror.hold()
      await ports.mirror.mark(null)
    }
    await enter({ at: 'aborted', ...why }, options)
  } catch (second) {
    const what = `${messageOf(e)}; putting back failed too: ${messageOf(second)}`
    return new KmigError('PARTIAL', what, {
      try: ['put that right, then run the same command: it goes on'],
      cause: e,
    })
  }
  if (!isKmigError(e) || PREPARING.has(from.at)) return e
  const exit = e.exit === EXIT.loss ? EXIT.loss : EXIT.aborted
  return new KmigError(e.code, `${e.message}; the old world is as it was`, {
    try: e.suggestions,
    exit,
    cause: e.cause,
  })
}

const goOn = (e: unknown): unknown =>
  isKmigError(e)
    ? new KmigError(e.code, `the files are written, but the last look failed: ${e.message}`, {
        try: ['run the same command again: it goes on from there', ...e.suggestions],
        exit: e.exit,
        cause: e,
      })
    : e
