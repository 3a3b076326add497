import { KmigError } from '../kit/index.ts'
import type { Engaged } from './fence-port.ts'
import type { Ends } from './ports.ts'

/** Below this a writer that sends once a second looks like none. */
export const LEAST_WINDOW_MS = 1_000
/** What is waited where nothing but the log ends tells that nobody writes. */
const DEFAULT_WINDOW_MS = 10_000
const SHOWN = 5

/** How long log ends must stand still: a fence that proves itself needs the least. */
export const proofWindow = (asked: number | undefined, { writersLeft }: Engaged): number =>
  asked ?? (writersLeft === 0 ? LEAST_WINDOW_MS : DEFAULT_WINDOW_MS)

export const leosOf = (ends: Ends): Map<string, bigint> =>
  new Map([...ends].map(([where, { leo }]) => [where, leo]))

/** Partitions whose ends differ, and by how much. */
export const grown = (
  before: ReadonlyMap<string, bigint>,
  now: ReadonlyMap<string, bigint>,
): { where: string; from: bigint; to: bigint }[] =>
  [...before].flatMap(([where, from]) => {
    const to = now.get(where)
    return to === undefined || to === from ? [] : [{ where, from, to }]
  })

export const grownText = (found: ReturnType<typeof grown>): string => {
  const shown = found
    .slice(0, SHOWN)
    .map(({ where, from, to }) => `${where}: ${from} -> ${to} (${to > from ? '+' : ''}${to - from})`)
  return [...shown, ...(found.length > SHOWN ? [`and ${found.length - SHOWN} more partitions`] : [])].join(
    ', ',
  )
}

export const stillWritten = (message: string): KmigError =>
  new KmigError('STILL_WRITTEN', message, {
    try: [
      'stop every writer of the old cluster, then run the same command again',
      'see who writes: topic and partition are above',
    ],
  })
