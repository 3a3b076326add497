export {
  type CheckOptions,
  checkPartition,
  faults,
  PartitionCheck,
  type PartitionFindings,
  type Seen,
  type Totals,
  totals,
  type WriterFindings,
} from './check.ts'
export { parentOf } from './ipc.ts'
export { type Account, Ledger, type LedgerEntry, type Place, placeKey } from './ledger.ts'
export { type Reading, readPayload, type Stamp, writePayload } from './payload.ts'
export { Ranges } from './ranges.ts'
export {
  type ReadBackOptions,
  type ReadLog,
  type ReadRecord,
  readBack,
  readThrough,
  unequal,
} from './read-back.ts'
export {
  checkReads,
  type ReadEntry,
  Reader,
  type ReaderOptions,
  type ReadFindings,
  readsIn,
} from './reader.ts'
export { type StressEvent, type StressOptions, stress } from './stress.ts'
export type { FromWorker, ToWorker, WorkerPlan } from './stress-messages.ts'
export {
  type StressReport,
  stressEventText,
  stressExit,
  stressProgress,
  stressShape,
  stressText,
} from './stress-report.ts'
export { stressWorker } from './stress-worker.ts'
export { type Locate, type Located, newRun, Writer, type WriterOptions } from './writer.ts'
