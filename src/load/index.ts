export {
  type CheckOptions,
  checkPartition,
  faults,
  type PartitionFindings,
  type Seen,
  type Totals,
  totals,
  type WriterFindings,
} from './check.ts'
export { type Account, Ledger, type LedgerEntry, type Place, placeKey } from './ledger.ts'
export { type Reading, readPayload, type Stamp, writePayload } from './payload.ts'
export { Ranges } from './ranges.ts'
export { type ReadBackOptions, type ReadLog, type ReadRecord, readBack, unequal } from './read-back.ts'
export { checkReads, type ReadEntry, Reader, type ReaderOptions, type ReadFindings } from './reader.ts'
export { type Locate, newRun, Writer, type WriterOptions } from './writer.ts'
