import type { Cluster } from '../../kafka/index.ts'
import type { During } from '../../kit/index.ts'
import type { ProofPort } from '../fence-port.ts'
import type { Where } from '../log-ends.ts'
import type { ClockPort } from '../ports.ts'
import { liveSight } from './live.ts'
import { proveFence } from './prove.ts'

export { ATTESTATION_MS, isFresh } from './attestation.ts'
export { growthText } from './growth.ts'
export { batchesAt, liveSight, writtenIn } from './live.ts'
export type { Seen } from './sight.ts'
export { concerning, transactionText } from './transactions.ts'

export type ProofOptions = During & {
  cluster: Cluster
  /** The partitions that move. */
  wheres(): readonly Where[]
  clock: ClockPort
  /** Consumer groups to tell of; default all. */
  groups?: readonly string[] | undefined
  /** How long after the window transactions may end and followers catch up, ms; default 30,000. */
  settleMs?: number | undefined
}

/** Proofs by a real cluster. */
export const proofOf = ({ cluster, wheres, clock, groups, settleMs, signal }: ProofOptions): ProofPort => {
  const sight = liveSight({ cluster, wheres, groups, signal })
  return { prove: options => proveFence(sight, clock, { ...options, settleMs }), look: () => sight.ends() }
}
