import { EXIT, KmigError } from '../../kit/index.ts'
import { DRIVERS, type DriverName } from '../fence-port.ts'

/**
 * What operators reach for, and why it is no fence. Source: CUTOVER.md 4.
 *
 * `barrier` could become a driver once
 * - the mirror can go on behind records of clients (a map of the mixed zone; today `vigil` stops the partition, and after
 *   a kill its place may lie before its own last records), and the way back leaves kmig's own records there out;
 * - `reverse-arm` takes ends beyond the cut, and proves that all below it is kmig's;
 * - all live groups move first, as the files are rewritten while readers are on the old cluster, and so do the write hold
 *   and log append times;
 * - the operator says that the last writer has moved: one that writes seldom looks like none in any window.
 */
const REFUSED: Readonly<Record<string, string>> = {
  'produce-quota':
    'a produce quota appends first and delays the answer then: nobody is kept off; it can only thin a crowd out before the fence',
  'max.message.bytes':
    'max.message.bytes lets small batches pass and refuses markers: transactions hang, and writers get an error that they do not try again',
  'message.timestamp.difference.max.ms':
    'timestamp limits let records pass that carry another time, and writers get an error that they do not try again',
  barrier:
    'writers that move one by one are not kept off, and a cutover can not prove its cut behind records that clients write to the new cluster meanwhile: the mirror stops each partition at the first of them, and no way back is armed',
  retention: 'retention deletes what was written and keeps nobody from writing',
}
const ALIASES: Readonly<Record<string, string>> = {
  rolling: 'barrier',
  quota: 'produce-quota',
  'max-message-bytes': 'max.message.bytes',
  'timestamp-limits': 'message.timestamp.difference.max.ms',
  timestamps: 'message.timestamp.difference.max.ms',
  'message.timestamp.before.max.ms': 'message.timestamp.difference.max.ms',
  'message.timestamp.after.max.ms': 'message.timestamp.difference.max.ms',
  'retention.ms': 'retention',
  'retention.bytes': 'retention',
}

const CHOOSE = ['--fence hook: your own program stops writers, and the proof tells whether it did']
const INSTEAD: Readonly<Record<string, readonly string[]>> = {
  barrier: [
    'without a cutover, and without a way back: kmig mirror, kmig discovery set and kmig barrier, as docs/barrier.md says',
    ...CHOOSE,
  ],
}

/** A driver by its name. Throws FENCE for what is refused, with the reason, USAGE for what there is not. */
export const driverNamed = (name: string): DriverName => {
  const known = DRIVERS.find(driver => driver === name)
  if (known) return known
  const meant = ALIASES[name] ?? name
  const refused = REFUSED[meant]
  if (refused !== undefined) {
    const what = `no fence by ${name}: ${refused}`
    throw new KmigError('FENCE', what, { try: INSTEAD[meant] ?? CHOOSE, exit: EXIT.refused })
  }
  throw new KmigError('USAGE', `there is no fence driver '${name}'`, {
    try: [`one of ${DRIVERS.join(', ')}`],
  })
}
