import { type During, KmigError } from '../kit/index.ts'
import type { CutoverEvent } from './events.ts'
import type { RunLog } from './execute.ts'
import type { Ports } from './ports.ts'
import type { Stranded } from './reverse-port.ts'
import { isSwitched, pointsOf, type Switched } from './states.ts'

export type CarryOptions = Pick<During<CutoverEvent>, 'on'> & {
  run: RunLog
  ports: Pick<Ports, 'reverse' | 'clock'>
}

/**
 * Copies what is stranded on the old cluster to the end of the new one, before the copy back starts; what it names is
 * journaled with where it stands now. Nobody may write to the old cluster any more. Doing it again carries nothing twice.
 * Throws PREFLIGHT where there is no copy back, or too much is stranded. Source: CUTOVER.md 6.
 */
export const carryStranded = async ({ run, ports, on }: CarryOptions): Promise<readonly Stranded[]> => {
  const { last } = run
  if (!isSwitched(last) || last.at === 'opening') return []
  if (!ports.reverse || !last.reverse) {
    throw new KmigError('PREFLIGHT', `run ${run.id} has no way back: kmig does not know what others wrote`, {
      try: ['copy the records by hand: kmig cutover status names them, if the run soaks'],
    })
  }
  const carried = (await ports.reverse.carry(pointsOf(last))).filter(each => each.carried)
  if (carried.length === 0) return []
  const there = new Set(carried.map(({ topic, partition }) => `${topic}-${partition}`))
  const stranded = last.stranded.filter(text => !there.has(whereOf(text)))
  const state = { ...last, stranded, carried }
  await run.append(state, ports.clock.wall())
  on?.({ kind: 'carried', carried })
  return carried
}

/** `orders-0: 100-102`, or `orders-0 from 100 on: why` */
const whereOf = (text: string): string => text.split(/[: ]/)[0] ?? ''

/** What the old cluster alone has, in words. */
export const strandedIn = ({ stranded, reverse, carried = [] }: Switched): string[] => {
  const known = (reverse?.stranded ?? []).filter(range => !carried.some(each => covers(each, range)))
  const texts = known.map(
    ({ topic, partition, from, to }) => `${topic}-${partition}: ${from}-${BigInt(to) - 1n}`,
  )
  return [...new Set([...texts, ...stranded])]
}

export const covers = (whole: Stranded, part: Stranded): boolean =>
  whole.topic === part.topic &&
  whole.partition === part.partition &&
  BigInt(whole.from) <= BigInt(part.from) &&
  BigInt(part.to) <= BigInt(whole.to)

/** `orders-0: 100-102, at 205-207 of the new cluster` */
export const carriedText = ({ topic, partition, from, to, carried }: Stranded): string => {
  const at = carried ? `, at ${carried.from}-${BigInt(carried.to) - 1n} of the new cluster` : ''
  return `${topic}-${partition}: ${from}-${BigInt(to) - 1n}${at}`
}
