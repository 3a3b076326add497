import { type During, messageOf, sleep } from '../kit/index.ts'
import { isGone } from './away.ts'
import { strandedOn } from './complete.ts'
import { tellDrift } from './drift.ts'
import type { CutoverEvent } from './events.ts'
import type { RunLog } from './execute.ts'
import type { Ports } from './ports.ts'
import type { Note, Watch } from './run-directory.ts'
import { endsOf, type In, isSwitched, pointsOf, type Switched } from './states.ts'
import { grown, leosOf } from './still.ts'

const LOOK_MS = 1_000
const ATTEST_MS = 60_000
/** A copy back that is nearer than this has arrived. */
const NEAR = 1_000n

export type SoakOptions = During<CutoverEvent> & {
  run: RunLog & { readonly notes: readonly Note[]; note(note: Note): Promise<void> }
  ports: Ports
  /** How long the old cluster must be quiet, ms. */
  quietForMs: number
  /** How often what is seen is journaled, ms; default a minute. */
  attestEveryMs?: number | undefined
}

/**
 * Stays until the signal is aborted: copies back, and watches the old cluster for those who still write there. `switched`
 * becomes `target-live` at the first record of a client on the new cluster, and `soaking` once the old one is quiet and
 * the copy back has arrived.
 */
export const soak = async (options: SoakOptions): Promise<void> => {
  const { run, ports, quietForMs, attestEveryMs = ATTEST_MS, signal, on } = options
  if (!isSwitched(run.last) || run.last.at === 'opening') return
  let now: In<'switched' | 'target-live' | 'soaking'> = run.last as In<'switched' | 'target-live' | 'soaking'>
  const reverse = now.reverse && ports.reverse
  if (reverse) await reverse.start(pointsOf(now))
  let quietSince = ports.clock.now()
  let attested = Number.NEGATIVE_INFINITY
  const enter = async (next: typeof now): Promise<void> => {
    await run.append(next, ports.clock.wall())
    now = next
    on?.({ kind: 'state', run: run.id, state: next })
  }
  let told = ''
  const look = async (): Promise<void> => {
    const lag = await reverse?.lag()
    const seen = lag?.seen ?? leosOf(await ports.ends.next())
    if (seen.size > 0) await ports.record.saw(seen, ports.clock.wall())
    const stranded = lag ? lag.stopped : await strandedOn(ports, now)
    const fresh = stranded.filter(range => !now.stranded.includes(range))
    if (fresh.length > 0) {
      quietSince = ports.clock.now()
      const grew = (known: string) => fresh.some(each => each.split(' ')[0] === known.split(' ')[0])
      await enter({ ...now, stranded: [...now.stranded.filter(known => !grew(known)), ...fresh] })
    }
    if (now.at === 'switched' && (await isLive(ports, now))) await enter({ ...now, at: 'target-live' })
    const oldQuietMs = Math.round(ports.clock.now() - quietSince)
    const arrived = lag === undefined || lag.records <= NEAR
    if (now.at === 'target-live' && oldQuietMs >= quietForMs && arrived)
      await enter({ ...now, at: 'soaking' })
    const watch: Watch = {
      atMs: ports.clock.wall(),
      lag: lag && String(lag.records),
      oldQuietMs,
      stranded: now.stranded,
    }
    on?.({ kind: 'watch', watch })
    if (ports.clock.now() - attested >= attestEveryMs) {
      attested = ports.clock.now()
      await run.note({ kind: 'watch', watch })
      await tellDrift({ run, ports, on })
    }
  }
  while (!signal.aborted) {
    try {
      await look()
      told = ''
    } catch (e) {
      if (!isGone(e)) throw e
      const text = `a cluster does not answer, it is looked for again: ${messageOf(e)}`
      if (text !== told) on?.({ kind: 'mirror', event: { kind: 'warning', where: run.id, text } })
      told = text
    }
    await sleep(LOOK_MS, signal).catch(() => {})
  }
}

const isLive = async (ports: Ports, { next }: Switched): Promise<boolean> =>
  grown(endsOf(next), leosOf(await ports.ends.next())).length > 0
