import type { Difference } from './difference.ts'

export type VerifyProgress = {
  kind: 'progress'
  partitions: { total: number; done: number }
  /** Offsets of the source that have been compared, and that are to be. */
  offsets: { done: bigint; total: bigint }
  /** Read from both sides. */
  bytes: number
  byteRate: number
  /** undefined until it can be told. */
  etaMs: number | undefined
  differences: bigint
}
export type VerifyEvent =
  | VerifyProgress
  | { kind: 'difference'; difference: Difference }
  | { kind: 'failed'; where: string; code: string; message: string }
  | { kind: 'note'; text: string }
