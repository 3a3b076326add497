export { anySignal, type Deferred, deferred, onAbort, sleep } from './abort.ts'
export { formatHostPort, type HostPort, parseBootstrap, parseHostPort } from './addresses.ts'
export { BACKOFF, type Backoff, backoffMs, type RetryOptions, retry } from './backoff.ts'
export type { During } from './during.ts'
export { bug, ERRORS, type ErrorCode, EXIT, type Exit, isKmigError, KmigError, messageOf } from './errors.ts'
export { makeDirectory, syncDirectory, writeFileAtomic } from './files.ts'
export { chooser, globToRegExp } from './globs.ts'
export {
  formatBytes,
  formatCount,
  formatDuration,
  formatRate,
  parseBytes,
  parseDuration,
  plural,
  shortDuration,
} from './human.ts'
export { inFlight } from './in-flight.ts'
export { Journal, readJournal } from './journal.ts'
export { type Holder, LockFile, lockHolder } from './lock-file.ts'
export { type Branded, Offset, Zxid } from './numbers.ts'
export { startOf } from './process-identity.ts'
