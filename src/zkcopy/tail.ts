import { sleep } from '../kit/index.ts'
import { type DrainOptions, drain } from './drain.ts'
import type { Lag, LagReport } from './lag.ts'
import { newLag } from './lag.ts'
import type { SourceWatch } from './source-watch.ts'

/** How the source was followed, and why that ended. */
export type TailReport = {
  /** watch: the source told each change; rescan: its servers are too old for it, so it was looked through again and again. */
  mode: 'watch' | 'rescan'
  endedBy: 'quiet' | 'signal'
  /** Paths that the source told. */
  changes: number
  /** Times that the whole source was looked through. */
  rescans: number
  /** Null before the first change. By a rescan: from its start. */
  lag: LagReport | null
}
export type TailEvent =
  | { kind: 'following'; mode: TailReport['mode']; changes: number; pending: number; lagMs: number }
  /** All that changed since a zxid is looked for, and why. */
  | { kind: 'rescan'; why: 'connection-lost' | 'last-look' }

export type TailOptions = Omit<DrainOptions, 'source'> & {
  /** Undefined: the servers have no such watch. */
  watch: SourceWatch | undefined
  /** ms without a change after which it ends; undefined: it ends by the signal. */
  untilQuietMs: number | undefined
  /** All that the source had by then is on the target. */
  watermark: bigint
  /**
   * Looks through all that changed since a zxid (undefined: compares all), writes it, and gives the zxid that is reached,
   * and how much was written.
   */
  rescan(since: bigint | undefined): Promise<{ watermark: bigint; written: number }>
  /** Notes how far it got. */
  keep(watermark: bigint): Promise<void>
  on?: ((event: TailEvent) => void) | undefined
}
const MOST_PATHS = 2_000
const KEEP_EVERY_MS = 2_000
const KEEP_WITHIN_MS = 5_000
const TELL_EVERY_MS = 200
const RESCAN_EVERY_MS = 1_000

/** Follows the source until the signal is aborted or it was quiet for long enough; what is under way is ended first. */
export const tail = async (options: TailOptions): Promise<TailReport> => {
  const { watch } = options
  const lag = newLag()
  const state = { watermark: options.watermark, changes: 0, rescans: 0 }
  const mode = watch ? 'watch' : 'rescan'
  try {
    if (watch) await byWatch(watch, { ...options, lag, state })
    else await byRescan({ ...options, lag, state })
  } catch (e) {
    if (!options.plan.signal.aborted) throw e
  }
  // A target that does not answer must not hold up the end: what was kept last is a little older, and as true.
  await Promise.race([options.keep(state.watermark), sleep(KEEP_WITHIN_MS)])
  const { changes, rescans } = state
  const endedBy = options.plan.signal.aborted ? 'signal' : 'quiet'
  return { mode, endedBy, changes, rescans, lag: lag.report() }
}

type Following = TailOptions & { lag: Lag; state: { watermark: bigint; changes: number; rescans: number } }

/** `all`: not by zxids, but everything. */
const look = async ({ rescan, state }: Following, { all = false } = {}): Promise<number> => {
  const { watermark, written } = await rescan(all ? undefined : state.watermark)
  state.watermark = watermark
  state.rescans++
  return written
}

const byWatch = async (watch: SourceWatch, following: Following): Promise<void> => {
  const { plan, untilQuietMs = Number.POSITIVE_INFINITY, keep, on, lag, state } = following
  let [keptAt, toldAt] = [performance.now(), 0]
  const tell = (): void => {
    toldAt = performance.now()
    const { changes } = state
    on?.({ kind: 'following', mode: 'watch', changes, pending: watch.pending, lagMs: Math.round(lag.lastMs) })
  }
  tell()
  while (!plan.signal.aborted) {
    if (watch.missed) {
      on?.({ kind: 'rescan', why: 'connection-lost' })
      await watch.told() // when it is answered the watch is set again, so that nothing falls between it and the rescan
      watch.missed = false
      await look(following)
    }
    const taken = watch.take(MOST_PATHS)
    if (taken.size > 0) {
      await drain([...taken.keys()], { ...following, source: watch.reader })
      const now = performance.now()
      for (const at of taken.values()) lag.add(now - at)
      state.changes += taken.size
    }
    const now = performance.now()
    if (now - toldAt >= TELL_EVERY_MS) tell()
    if (now - keptAt >= KEEP_EVERY_MS) {
      await checkpoint(watch, following)
      await keep(state.watermark)
      keptAt = performance.now()
    }
    const quietForMs = performance.now() - watch.changedAt
    if (watch.pending === 0 && !watch.missed && quietForMs >= untilQuietMs) {
      on?.({ kind: 'rescan', why: 'last-look' })
      // All, and not by the watermark: this is the last look before the old side is given up, and a state of an older
      // kmig may say more than was written.
      await look(following, { all: true })
      if (watch.pending === 0 && !watch.missed) return
    }
    await watch.wait(Math.max(1, Math.min(TELL_EVERY_MS, untilQuietMs - quietForMs)), plan.signal)
  }
}

/** Moves the watermark to what is told and written by now, if that can be said. */
const checkpoint = async (watch: SourceWatch, following: Following): Promise<void> => {
  const at = await watch.told()
  const rest = watch.take(Number.POSITIVE_INFINITY)
  await drain([...rest.keys()], { ...following, source: watch.reader })
  for (const toldAt of rest.values()) following.lag.add(performance.now() - toldAt)
  following.state.changes += rest.size
  if (!watch.missed) following.state.watermark = at
}

const byRescan = async (following: Following): Promise<void> => {
  const { plan, untilQuietMs = Number.POSITIVE_INFINITY, keep, on, lag, state } = following
  let changedAt = performance.now()
  while (!plan.signal.aborted) {
    const startedAt = performance.now()
    const written = await look(following)
    const now = performance.now()
    if (written > 0) {
      lag.add(now - startedAt)
      state.changes += written
      changedAt = now
    }
    on?.({
      kind: 'following',
      mode: 'rescan',
      changes: state.changes,
      pending: 0,
      lagMs: Math.round(now - startedAt),
    })
    await keep(state.watermark)
    if (startedAt - changedAt >= untilQuietMs) {
      on?.({ kind: 'rescan', why: 'last-look' })
      if ((await look(following, { all: true })) === 0) return
    }
    await sleep(Math.max(RESCAN_EVERY_MS, now - startedAt), plan.signal)
  }
}
