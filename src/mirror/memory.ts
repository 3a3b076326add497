import { KmigError } from '../kit/index.ts'

const MB = 1_000_000
export const DEFAULT_MEMORY = 256 * MB
/** What Node and kmig take before a record is held. */
const BASE = 112 * MB
const LEAST = 160 * MB
/** An answer may hold. */
const ANSWER = { least: 256 << 10, most: 4 << 20 }

/** How the memory that a mirror may take is shared out: batches held, answers under way, frames kept for the next ones. */
export type Memory = {
  /** Bytes that all lanes may hold before fetching pauses. */
  held: number
  pooled: number
  /** What one answer may hold where so many connections fetch at once. */
  perAnswer(connections: number): number
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
    perAnswer: connections =>
      Math.min(ANSWER.most, Math.max(ANSWER.least, Math.floor(share / Math.max(1, connections)))),
  }
}
