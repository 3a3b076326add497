import type { Place } from './ledger.ts'

/** What a process of `kmig stress` does. */
export type WorkerPlan = {
  index: number
  role: 'writer' | 'reader'
  run: string
  /** A reader's own group. */
  group: string
  topic: string
  partitions: number
  /** Journals. */
  directory: string
  /** Records a second; 0 is as fast as they are acknowledged. */
  rate: number
  perBatch: number
  bytes: number
  codec: 'none' | 'gzip' | 'snappy' | 'lz4' | 'zstd'
  /** ms between restarts of the client; 0 is never. */
  restartEveryMs: number
  /** While this file exists writers are stopped; when it is gone all clients start anew. */
  pauseFile: string | undefined
}

/** Where a worker stands: `count` records acknowledged or read, `unknown` ones whose fate is not known. */
export type WorkerStanding = {
  kind: 'standing'
  count: number
  unknown: number
  restarts: number
  /** The brokers that it talks to, or why it does not. */
  at: string
}
export type ReaderEnd = Place & { next: string; end: string }
/** `ended`: with journals closed. */
export type FromWorker =
  | WorkerStanding
  | { kind: 'trouble'; text: string }
  | { kind: 'ended'; behind: ReaderEnd[] }
/** `finish`: writers end; readers read to the ends as they then are, or as far as they come within `withinMs`. */
export type ToWorker = { kind: 'plan'; plan: WorkerPlan } | { kind: 'finish'; withinMs: number }

export const journalOf = ({
  directory,
  role,
  index,
}: Pick<WorkerPlan, 'directory' | 'role' | 'index'>): string => `${directory}/${role}-${index}.ndjson`
