import { KmigError } from '../kit/index.ts'
import type { Ports } from './ports.ts'
import type { ReversePort } from './reverse-port.ts'
import { endsOf, type Switched } from './states.ts'
import { grown, grownText, leosOf } from './still.ts'

/** What a way back asks of the copy back. */
export type WayBack = Pick<ReversePort, 'start' | 'lag' | 'drained' | 'syncGroups' | 'stop' | 'handBack'>

type Range = { where: string; from: bigint; to: bigint }

/** A way back on which nothing is copied: possible as long as clients have written nothing, or by consent without that. */
export const uncopied = (was: Switched, { mirror }: Pick<Ports, 'mirror'>): WayBack => ({
  start: async () => {},
  lag: async () => ({ records: 0n, stopped: [], seen: new Map() }),
  drained: async (ends, { lossy }) => {
    const found = beyond(was, ends)
    if (found.length > 0 && !lossy) throw wouldLose(found)
    return found.map(range => lostText(range, 'nothing was copied back'))
  },
  syncGroups: async () => await mirror.syncGroupsBack(identical(was)),
  stop: async () => {},
  handBack: async () => {},
})

/** `orders-0: 100-102 (why)` */
export const lostText = ({ where, from, to }: Range, why: string): string =>
  `${where}: ${from}-${to - 1n} (${why})`

/** ROLLBACK_REFUSED when a log of the new cluster ends beyond the cut: kmig stopped writing there. */
export const writtenOn = async (
  { ends }: Pick<Ports, 'ends'>,
  was: Pick<Switched, 'next'>,
): Promise<KmigError | undefined> => {
  const found = beyond(was, leosOf(await ends.next()))
  return found.length > 0 ? wouldLose(found) : undefined
}

/** What the new cluster has beyond the cut, where kmig stopped to write. */
export const beyond = ({ next }: Pick<Switched, 'next'>, ends: ReadonlyMap<string, bigint>): Range[] =>
  grown(endsOf(next), ends).filter(({ from, to }) => to > from)

const wouldLose = (found: Range[]): KmigError => {
  const records = found.reduce((sum, { from, to }) => sum + to - from, 0n)
  return new KmigError(
    'ROLLBACK_REFUSED',
    `clients wrote ${records} records to the new cluster since the cutover, which going back would lose: ${grownText(found)}`,
    {
      try: [
        'stay on the new cluster',
        'or stop its writers, copy these records back by hand, and go back without them: kmig cutover rollback --lossy',
      ],
    },
  )
}

/** Partitions whose offsets are the same on both sides, up to the cut. */
const identical = ({ cut, next }: Switched): Map<string, bigint> =>
  new Map([...endsOf(cut)].filter(([where]) => cut[where] === next[where]))
