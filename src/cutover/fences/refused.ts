import { EXIT, KmigError } from '../../kit/index.ts'
import { DRIVERS, type DriverName } from '../fence-port.ts'

/** What operators reach for, and why it is no fence. Source: CUTOVER.md 4. */
const REFUSED: Readonly<Record<string, string>> = {
  'produce-quota':
    'a produce quota appends first and delays the answer then: nobody is kept off; it can only thin a crowd out before the fence',
  'max.message.bytes':
    'max.message.bytes lets small batches pass and refuses markers: transactions hang, and writers get an error that they do not try again',
  'message.timestamp.difference.max.ms':
    'timestamp limits let records pass that carry another time, and writers get an error that they do not try again',
  retention: 'retention deletes what was written and keeps nobody from writing',
}
const ALIASES: Readonly<Record<string, string>> = {
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

/** A driver by its name. Throws FENCE for what is refused, with the reason, USAGE for what there is not. */
export const driverNamed = (name: string): DriverName => {
  const known = DRIVERS.find(driver => driver === name)
  if (known) return known
  const refused = REFUSED[ALIASES[name] ?? name]
  if (refused !== undefined) {
    const what = `no fence by ${name}: ${refused}`
    throw new KmigError('FENCE', what, { try: CHOOSE, exit: EXIT.refused })
  }
  throw new KmigError('USAGE', `there is no fence driver '${name}'`, {
    try: [`one of ${DRIVERS.join(', ')}`],
  })
}
