import { KmigError } from '../kit/index.ts'

const MB = 1_000_000
export const DEFAULT_MEMORY = 256 * MB
/** What Node and kmig take before a record is held. */
const BASE = 112 * MB
const LEAST = 160 * MB
/** An answer may hold so much; of a broker that is far away more, as one is under way for as long. */
const ANSWER = { least: 256 << 10, most: 4 << 20, mostFar: 16 << 20 }
/** From so long a round trip on a broker is far away. */
export const FAR_MS = 10

/** How the memory that a mirror may take is shared out: batches held, answers under way, frames kept for the next ones. */
export type Memory = {
  /** Bytes that all lanes may hold, and that are under way to them, before fetching pauses. */
  held: number
  pooled: number
  /** What one answer may hold where so many connections fetch at once, from brokers at so long a round trip. */
  perAnswer(connections: number, roundTripMs: number): number
}

/** Throws USAGE for less than a mirror can do with. */
export const memoryOf = (bytes = DEFAULT_MEMORY): Memory => {
  if (bytes < LEAST) {
    throw new KmigError(
      'USAGE',
      `--memory of ${bytes / MB} MB is too little, a mirror needs ${LEAST / MB} MB`,
      {
        try: [`--memory ${LEAST / MB}MB`],
      },
    )
  }
  const share = Math.floor((bytes - BASE) / 3)
  return {
    held: share,
    pooled: share,
    perAnswer: (connections, roundTripMs) => {
      const most = roundTripMs < FAR_MS ? ANSWER.most : ANSWER.mostFar
      return Math.min(most, Math.max(ANSWER.least, Math.floor(share / Math.max(1, connections))))
    },
  }
}
