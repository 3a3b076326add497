import { releaseOf } from '../inventory/index.ts'
import { alterTopicConfigs, Cluster, partitionOf } from '../kafka/index.ts'
import { type During, KmigError, messageOf } from '../kit/index.ts'
import { MirrorState } from '../mirror/index.ts'
import { StateTopic } from '../offsets/index.ts'
import { strandedIn } from './carry.ts'
import { certify } from './certify.ts'
import type { CutoverEvent } from './events.ts'
import type { RunLog } from './execute.ts'
import { type OpenRunOptions, sideOf, takeOver } from './open-run.ts'
import type { Ports } from './ports.ts'
import { findRun, Run, type RunRecord } from './run-directory.ts'
import type { SoakOptions } from './soak.ts'
import { endsOf, type In, isSwitched, pointsOf, type State, type Switched } from './states.ts'
import { grown, leosOf } from './still.ts'

type Completing = In<'switched' | 'target-live' | 'soaking' | 'completing'>

const completing = (last: State | undefined): Completing | undefined =>
  (last?.at === 'completing' || (isSwitched(last) && last.at !== 'opening') ? last : undefined) as
    | Completing
    | undefined

/**
 * The only step that can't be taken back: the copy back ends, topics get all their settings, retention deletes again.
 * Doing it again after a crash goes on. Throws STRANDED, once, for what nobody had seen yet on the old cluster.
 */
export const complete = async ({
  run,
  ports,
  on,
}: Pick<SoakOptions, 'ports' | 'on'> & { run: RunLog }): Promise<State | undefined> => {
  const { last } = run
  if (last?.at === 'complete') return last
  const now = completing(last)
  if (!now) return undefined
  const enter = async (state: State): Promise<State> => {
    await run.append(state, ports.clock.wall())
    on?.({ kind: 'state', run: run.id, state })
    return state
  }
  if (now.at !== 'completing') {
    const known = strandedIn(now)
    const fresh = (await strandedOn(ports, now)).filter(range => !known.includes(range))
    if (fresh.length > 0) {
      await enter({ ...now, stranded: [...now.stranded, ...fresh] })
      throw stranded(fresh)
    }
  }
  await enter({ ...now, at: 'completing' })
  await ports.reverse?.stop()
  await ports.mirror.release()
  return await enter({ ...now, at: 'complete' })
}

const stranded = (ranges: readonly string[]): KmigError =>
  new KmigError('STRANDED', `the new cluster lacks what others wrote to the old one: ${ranges.join(', ')}`, {
    try: [
      'kmig cutover complete --carry-stranded copies these records to the new cluster first',
      'the same command again ends the run without them',
    ],
  })

/** What others wrote to the old cluster since the cut; without a copy back nobody at all may write there. */
export const strandedOn = async (
  { reverse, ends }: Pick<Ports, 'reverse' | 'ends'>,
  now: Switched,
): Promise<string[]> => {
  if (reverse && now.reverse)
    return strandedIn({
      ...now,
      stranded: [],
      reverse: { ...now.reverse, stranded: await reverse.strays(pointsOf(now)) },
    })
  return grown(endsOf(now.cut), leosOf(await ends.old())).map(
    ({ where, from, to }) => `${where}: ${from}-${to - 1n}`,
  )
}

/** What `completeAlone` did not do. */
export type CompletedAlone = { last: State; undone: string[] }

/**
 * The same with the old cluster gone, as it is once somebody has switched it off: topics get the settings that the mirror
 * has remembered on the new cluster. Says what only the old one could have told.
 */
export const completeAlone = async (
  why: KmigError,
  options: OpenRunOptions & During<CutoverEvent>,
): Promise<CompletedAlone | undefined> => {
  const { stateDir, access, signal, on } = options
  await using _ = await takeOver('complete', options)
  const record = findRun(stateDir, options.run)
  const { header, last } = record
  if (last?.at === 'complete') return { last, undone: [] }
  const now = completing(last)
  if (!now) return undefined
  await using run = await Run.open(record)
  await using next = await Cluster.open({ ...sideOf(header.to, access), signal })
  const topic = await StateTopic.read(next, header.mirror, { signal })
  const kept = topic && new MirrorState(topic)
  const enter = async (state: State): Promise<State> => {
    await run.append(state, Date.now())
    on?.({ kind: 'state', run: run.id, state })
    return state
  }
  await enter({ ...now, at: 'completing' })
  const unknown: string[] = []
  for (const name of new Set(Object.keys(now.cut).map(where => partitionOf(where).topic))) {
    const configs = kept?.topic(name)
    if (configs) await alterTopicConfigs(next, name, releaseOf(configs), { signal })
    else unknown.push(name)
  }
  const done = await enter({ ...now, at: 'complete' })
  await certify(run.record, { signal }).catch(e => {
    const text = `the certificate could not be made: ${messageOf(e)}`
    on?.({ kind: 'mirror', event: { kind: 'warning', where: run.id, text } })
  })
  return { last: done, undone: undoneOf(record, now, { why, unknown }) }
}

const undoneOf = (
  { header: { from } }: RunRecord,
  { seal, fence }: Completing,
  { why, unknown }: { why: KmigError; unknown: readonly string[] },
): string[] => [
  `'${from.name}' does not answer (${why.message}): whether anybody wrote there after the cut was not looked at again`,
  `settings that topics got on '${from.name}' after the mirror had stopped are not known`,
  ...[seal, fence.plan]
    .filter(plan => plan?.side === 'old' && plan.driver !== 'manual' && plan.driver !== 'hook')
    .flatMap(plan => plan?.actions.map(({ effect }) => `it stands on '${from.name}': ${effect}`) ?? []),
  ...unknown.map(topic => `topic ${topic}: its own settings are not known, it keeps those of mirroring`),
]
