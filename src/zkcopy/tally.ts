/** At most this many paths of a kind are named in a report. */
const NAMED = 20

/** A count and the first paths that it counts. */
export type Paths = { count: number; first: string[] }
export const paths = (): Paths => ({ count: 0, first: [] })
export const note = (into: Paths, path: string): void => {
  into.count++
  if (into.first.length < NAMED) into.first.push(path)
}
/** Takes back what `note` noted. */
export const unnote = (from: Paths, path: string): void => {
  from.count--
  const at = from.first.indexOf(path)
  if (at >= 0) from.first.splice(at, 1)
}

/** What a run has seen and done so far. Writes count once the server has confirmed them. */
export const newTally = () => ({
  scanned: 0,
  scannedBytes: 0,
  /** Chosen by --since; without it, all. */
  selected: 0,
  /** Of the znodes scanned, those that the target has. */
  onTarget: 0,
  unchanged: 0,
  ephemerals: 0,
  excluded: 0,
  vanished: paths(),
  created: 0,
  updated: 0,
  aclsSet: 0,
  deleted: 0,
  multis: 0,
  bytesWritten: 0,
  /** Batches whose answer was lost or that failed, and that were put right from a fresh read. */
  repaired: 0,
  /** On the target, changed by somebody else between our read and our write. */
  foreign: paths(),
  /** With --preserve-versions: on the target, of another version than on the source, which no write cures. */
  versionsLeft: paths(),
  /** With --preserve-sequence: the next sequential child gets another number than on the source. */
  countersLeft: paths(),
  /** What a check would have written. */
  differing: paths(),
  /** Older than --since and absent on the target: not copied. */
  missing: paths(),
  /** On the target only; of a subtree its top. */
  extra: paths(),
  /** ms; highest modification time seen on the source. */
  maxMtimeMs: 0,
})
export type Tally = ReturnType<typeof newTally>
