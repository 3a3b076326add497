import { KmigError } from '../kit/index.ts'
import type { Engaged, ProofPort, StillProof } from './fence-port.ts'
import type { ClockPort, Ends } from './ports.ts'

/** Below this a writer that sends once a second looks like none. */
export const LEAST_WINDOW_MS = 1_000
/** What is waited where nothing but the log ends tells that nobody writes. */
const DEFAULT_WINDOW_MS = 10_000
const LOOK_MS = 500
const SHOWN = 5

/** How long log ends must stand still: a fence that proves itself needs the least. */
export const proofWindow = (asked: number | undefined, { writersLeft }: Engaged): number =>
  asked ?? (writersLeft === 0 ? LEAST_WINDOW_MS : DEFAULT_WINDOW_MS)

/** The proof by log ends alone. */
export const proofByEnds = ({ look, clock }: Pick<StillOptions, 'look' | 'clock'>): ProofPort => ({
  look,
  prove: async ({ windowMs, driver, engaged, since }) => {
    const { ends, proof } = await proveStill({ windowMs, look, clock, since })
    const { evidence, writersLeft } = engaged
    return { ends, proof: { ...proof, driver, evidence, writersLeft } }
  },
})

export type StillOptions = {
  windowMs: number
  /** Log ends of all moved partitions on the old cluster. */
  look(): Promise<Ends>
  clock: ClockPort
  /** What was known before the first look, so that growth in between counts. */
  since?: ReadonlyMap<string, bigint> | undefined
}

/**
 * Proves that nobody writes to the old cluster: the log end of every partition, asked of its leader by
 * OffsetForLeaderEpoch, stands still for the window, and consumers may read up to it: replicated, no transaction open.
 * Throws STILL_WRITTEN, naming partitions and how far they grew. Source: CUTOVER.md 5.
 */
export const proveStill = async (
  options: StillOptions,
): Promise<{ ends: Map<string, bigint>; proof: StillProof }> => {
  const { windowMs, look, clock } = options
  const from = clock.now()
  const fromMs = clock.wall()
  const first = leosOf(await look())
  if (options.since) refuseGrowth(options.since, first, 0)
  for (let sweeps = 2; ; sweeps++) {
    const left = windowMs - (clock.now() - from)
    await clock.sleep(Math.max(50, Math.min(LOOK_MS, left)))
    const now = await look()
    const ms = clock.now() - from
    refuseGrowth(first, leosOf(now), ms)
    const settled = [...now.values()].every(({ leo, stable }) => leo === stable)
    if (ms >= windowMs && settled) {
      const proof = { windowMs, sweeps, partitions: first.size, fromMs, toMs: clock.wall() }
      return { ends: first, proof }
    }
    if (ms >= windowMs + 30_000) throw unsettled(now)
  }
}

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

const refuseGrowth = (
  before: ReadonlyMap<string, bigint>,
  now: ReadonlyMap<string, bigint>,
  ms: number,
): void => {
  const found = grown(before, now)
  if (found.length === 0) return
  const records = found.reduce((sum, { from, to }) => sum + to - from, 0n)
  const rate = ms > 0 ? `, ${(Number(records) / (ms / 1_000)).toFixed(1)}/s` : ''
  throw stillWritten(`log ends of the old cluster do not stand still${rate}: ${grownText(found)}`)
}

export const stillWritten = (message: string): KmigError =>
  new KmigError('STILL_WRITTEN', message, {
    try: [
      'stop every writer of the old cluster, then run the same command again',
      'see who writes: topic and partition are above',
    ],
  })

const unsettled = (now: Ends): KmigError => {
  const behind = [...now]
    .filter(([, { leo, stable }]) => leo !== stable)
    .map(([where, { leo, stable }]) => `${where}: ${stable} of ${leo}`)
  return new KmigError(
    'PREFLIGHT',
    `the old cluster holds records that nobody may read yet: ${behind.slice(0, SHOWN).join(', ')}`,
    { try: ['bring the followers of these partitions back', 'end the transaction that is open there'] },
  )
}
