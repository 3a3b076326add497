import type { ProofPort, StillProof } from '../../src/cutover/fence-port.ts'
import type { ClockPort, Ends } from '../../src/cutover/ports.ts'
import { grown, grownText, leosOf, stillWritten } from '../../src/cutover/still.ts'
import { KmigError } from '../../src/kit/index.ts'

const LOOK_MS = 500
const SHOWN = 5

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
