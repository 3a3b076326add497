import { bug, type During, isKmigError, KmigError, messageOf, sleep } from '../kit/index.ts'
import { type Beside, besideLost, besideText, holdsRecords } from './beside.ts'
import type { Budget } from './budget.ts'
import type { CutoverEvent } from './events.ts'
import { type RunLog, releaseBack } from './execute.ts'
import { groupsLeft } from './guards.ts'
import { inTime } from './in-time.ts'
import type { Ports } from './ports.ts'
import { bringReadersBack } from './readers.ts'
import type { RolledBack } from './rollback.ts'
import { standingTexts, standsAfter } from './standing.ts'
import {
  type BackProved,
  type BackState,
  type Cut,
  cutOf,
  endsOf,
  type FenceState,
  groupsMoved,
  type In,
  isBack,
  pointsOf,
  type State,
  type Switched,
  type SwitchedName,
  undoOf,
} from './states.ts'
import { grown, grownText, leosOf, proofWindow, stillWritten } from './still.ts'
import { lostText, uncopied, type WayBack } from './uncopied.ts'

export type BackOptions = During<CutoverEvent> & {
  run: RunLog
  ports: Ports
  stillForMs?: number | undefined
  /** The operator says that all clients will have left the new cluster by the end. */
  clientsLeft?: boolean | undefined
  /** Goes back though records that are on the new cluster only are lost to the clients. */
  lossy?: boolean | undefined
  budget(fence: FenceState): Budget
}

/**
 * The way back once clients were let in to the new cluster: its writers are fenced, that is proved, the copy back
 * drained, group offsets and files go back, the old cluster is given to its writers. What fails before the files are
 * touched ends the fence, and the run goes on where it was. A crash goes on: before the files with a new proof, after them
 * to the end. Source: CUTOVER.md 3.
 */
export const goBack = async (
  from: In<SwitchedName> | BackState,
  options: BackOptions,
): Promise<RolledBack> => {
  const { ports, run, on } = options
  const before = isBack(from) ? from.was : from
  const way = copies(before, ports) ?? uncopied(before, ports)
  const enter = async <S extends State>(state: S): Promise<S> => {
    await run.append(state, ports.clock.wall())
    on?.({ kind: 'state', run: run.id, state })
    return state
  }
  if (!(from.at === 'back-switching' && from.handedBack)) await way.start(pointsOf(before))
  let now: BackState
  if (!isBack(from)) {
    for (const { where } of (await besideOf(before, options)).filter(each => !holdsRecords(each)))
      on?.({ kind: 'mirror', event: { kind: 'warning', where, text: EMPTY } })
    await whileTheyAnswer(options, nearlyThere(way, options))
    const { at: wasAt, ...was } = from
    const fence = { plan: await ports.fences.next.plan(), sinceMs: ports.clock.wall() }
    now = await enter({ at: 'back-fencing', plan: was.plan, cut: was.cut, was, wasAt, fence })
  } else if (from.at === 'back-switching') now = from
  else {
    const { plan, cut, was, wasAt, fence } = from
    now = await enter({ at: 'back-fencing', plan, cut, was, wasAt, fence }) // proofs end with their process
  }
  try {
    while (now.at !== 'back-switching') now = await enter(await forward(now, way, options))
    return await finish(now, way, options)
  } catch (e) {
    if (run.last?.at !== 'back-switching' || isKmigError(e, 'DISCOVERY_CONFLICT')) {
      try {
        await ports.fences.of(now.fence.plan).release(now.fence.plan)
        if (copies(now.was, ports)) await eachReader(now, options, 'start-readers', 'new')
      } catch (second) {
        const what = `${messageOf(e)}; letting the writers go on failed too: ${messageOf(second)}`
        const next = ['put that right, then run kmig cutover rollback again: it goes on']
        throw new KmigError('PARTIAL', what, { try: next, cause: e })
      }
      await enter({ at: now.wasAt, ...now.was })
    }
    throw e
  }
}

const forward = async (
  now: Exclude<BackState, { at: 'back-switching' }>,
  way: WayBack,
  options: BackOptions,
): Promise<BackState> => {
  const { ports } = options
  return await inTime({ ...options, at: now.at, fence: now.fence }, async (): Promise<BackState> => {
    switch (now.at) {
      case 'back-fencing': {
        await ports.watch?.(now.fence)
        const engaged = await ports.fences.of(now.fence.plan).engage(now.fence.plan)
        const { ends, proof } = await ports.proof.next.prove({
          windowMs: proofWindow(options.stillForMs, engaged),
          driver: now.fence.plan.driver,
          engaged,
        })
        return { ...now, at: 'back-still', ends: cutOf(ends), proof }
      }
      case 'back-still': {
        if (copies(now.was, ports)) await eachReader(now, options, 'stop-readers', 'new')
        const { lossy = false } = options
        const lost = await whileTheyAnswer(options, way.drained(endsOf(now.ends), { lossy }))
        const beside = await besideOf(now.was, options)
        await refuseLate(ports, now)
        const groups = groupsMoved(await way.syncGroups(endsOf(now.ends)))
        if (groups.left.length > 0 && now.was.reverse && !lossy) throw groupsLeft(groups.left)
        const stays = beside.filter(holdsRecords).map(each => besideText(each))
        return { ...now, at: 'back-offsets', groups, lost: [...lost, ...stays], beside: besideEnds(beside) }
      }
      case 'back-offsets':
        await refuseLate(ports, now)
        await way.stop()
        if (!(await ports.record.decide('switch', now.fence))) {
          throw bug('the watchdog released the fence of a process that lives')
        }
        return { ...now, at: 'back-switching' }
      default:
        return now satisfies never
    }
  })
}

const copies = ({ reverse }: Switched, ports: Ports): WayBack | undefined => reverse && ports.reverse

/** Groups that moved first have programs of their own, which stop and start them. */
const eachReader = async (
  { at, was }: BackState,
  { ports }: BackOptions,
  hook: 'stop-readers' | 'start-readers',
  side: 'old' | 'new',
): Promise<void> => {
  for (const { group } of was.readers?.moved ?? [])
    await ports.hooks.run(hook, { state: at, side }, { group })
}

const EMPTY = 'it was made on the new cluster after the switch, and is empty: it is not on the old one'

/** What was made on the new cluster since the switch. Throws ROLLBACK_REFUSED where that has records. */
const besideOf = async ({ cut }: Switched, { ports, lossy }: BackOptions): Promise<Beside[]> => {
  const found = (await ports.beside?.look(cut)) ?? []
  const full = found.filter(holdsRecords)
  if (full.length > 0 && !lossy) throw besideLost(full)
  return found
}
const besideEnds = (found: readonly Beside[]): Cut =>
  cutOf(new Map(found.flatMap(({ where, to }) => (to === undefined ? [] : [[where, to] as const]))))

const refuseLate = async (ports: Ports, { ends }: BackProved): Promise<void> => {
  const found = grown(endsOf(ends), leosOf(await ports.ends.next()))
  if (found.length > 0)
    throw stillWritten(`somebody wrote to the new cluster after its fence was proved: ${grownText(found)}`)
}

/** From the files on, everything is done again until it is done. */
const finish = async (
  now: Extract<BackState, { at: 'back-switching' }>,
  way: WayBack,
  options: BackOptions,
): Promise<RolledBack> => {
  const { ports, run, signal, on } = options
  const { plan, was, groups = { groups: 0, partitions: 0, left: [] } } = now
  const files = await ports.discovery.revert()
  if (!now.handedBack) {
    await ports.mirror.hold()
    await way.handBack(endsOf(now.ends), { lossy: (now.lost ?? []).length > 0 })
    if (copies(was, ports)) await ports.readers?.forget()
    await ports.mirror.mark(null)
    await run.append({ ...now, handedBack: true }, ports.clock.wall())
  }
  const undo = undoOf({ at: 'soaking', ...was })
  // one program holds the writers of both sides: letting them go once is enough, and it must be to the old side
  const once = now.fence.plan.driver === 'hook' && undo.fence?.plan.driver === 'hook'
  const standing = standsAfter(now.fence.plan, { hooks: ports.hooks, left: options.clientsLeft })
  const handBack = async (): Promise<void> => {
    if (copies(was, ports)) return await eachReader(now, options, 'start-readers', 'old')
    if (!was.readers) return
    // nothing was copied back, so their offsets go back by themselves
    const left = async (readers: typeof was.readers) =>
      await run.append({ ...now, handedBack: true, was: { ...was, readers } }, ports.clock.wall())
    await bringReadersBack({ ports, signal, on, state: now.at, readers: was.readers, left })
  }
  await releaseBack(undo, ports, {
    state: now.at,
    fence: once || standing ? undefined : now.fence.plan,
    meanwhile: handBack,
  })
  // by a writer that no fence keeps off
  const late = grown(endsOf(now.ends), leosOf(await ports.ends.next())).filter(({ from, to }) => to > from)
  const known: Cut = now.beside ?? {}
  const more = ((await ports.beside?.look(was.cut)) ?? []).filter(
    each =>
      holdsRecords(each) &&
      (each.to === undefined ? !(each.where in known) : String(each.to) !== known[each.where]),
  )
  const lost = [
    ...(now.lost ?? []),
    ...late.map(range => lostText(range, 'written while kmig went back')),
    ...more.map(each => besideText(each, known[each.where] ?? String(each.from))),
  ]
  const state: State = { at: 'rolled-back', plan, cut: now.ends, groups, lost, standing }
  await run.append(state, ports.clock.wall())
  on?.({ kind: 'state', run: run.id, state })
  return { already: false, files, groups, lost, undone: [], standing: standingTexts(state) }
}

const LOOK_AGAIN_MS = 10_000

/** Work that waits for records to come across, as long as both clusters answer. Throws UNREACHABLE, TIMEOUT. */
const whileTheyAnswer = async <T>({ ports }: BackOptions, work: Promise<T>): Promise<T> => {
  const over = new AbortController()
  const looking = (async (): Promise<never> => {
    for (;;) {
      await sleep(LOOK_AGAIN_MS, over.signal)
      await Promise.all([ports.ends.old(), ports.ends.next()])
    }
  })()
  looking.catch(() => {}) // it ends with the work
  work.catch(() => {})
  try {
    return await Promise.race([work, looking])
  } finally {
    over.abort()
  }
}

/** Records that may be left to copy back when writers are stopped: less than a second's work. */
const NEAR = 10_000n
const LOOK_MS = 500

/** Copies back while clients still write, so that they need not wait for it. */
const nearlyThere = async (reverse: WayBack, { lossy, signal, on }: BackOptions): Promise<void> => {
  for (;;) {
    signal.throwIfAborted()
    const lag = await reverse.lag()
    if (lag.stopped.length > 0 && lossy) return
    if (lag.stopped.length > 0) {
      throw new KmigError('STRANDED', `the copy back has stopped: ${lag.stopped.join('; ')}`, {
        try: [
          'nobody was stopped, nothing was changed: put that right, or stay on the new cluster',
          '--carry-stranded copies what others wrote to the old cluster to the new one, and goes on',
          'kmig cutover rollback --lossy goes back without these records',
        ],
      })
    }
    if (lag.records <= NEAR) return
    on?.({ kind: 'back', records: lag.records })
    await sleep(LOOK_MS, signal)
  }
}
