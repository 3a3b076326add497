import { driverNamed, PRODUCER_ERRORS } from './fences/index.ts'
import type { CutoverOptions } from './options.ts'

type Given = {
  fence?: string | undefined
  seal?: string | undefined
  hooks?: string | undefined
  'way-back': boolean
  contents: boolean
  'sync-acls': boolean
  postpone: boolean
  'accept-producer-errors': boolean
  'max-fence': number
  'fence-attempts': number
  'fence-backoff': number
  'still-for'?: number | undefined
  'hook-timeout': number
  'require-rehearsal'?: number | undefined
  'postpone-file'?: string | undefined
  'readers-first'?: readonly string[] | undefined
}

/** These flags as a cutover takes them. */
export const fenceOptions = (flags: Given): Partial<CutoverOptions> => ({
  driver: flags.fence === undefined ? undefined : driverNamed(flags.fence),
  seal: flags.seal === undefined ? undefined : driverNamed(flags.seal),
  acceptRisks: flags['accept-producer-errors'] ? [PRODUCER_ERRORS] : [],
  rehearsedWithinMs: flags['require-rehearsal'],
  maxFenceMs: flags['max-fence'],
  fenceAttempts: flags['fence-attempts'],
  backoffMs: flags['fence-backoff'],
  stillForMs: flags['still-for'],
  hooks: flags.hooks,
  wayBack: flags['way-back'],
  check: flags.contents,
  acls: flags['sync-acls'],
  hookTimeoutMs: flags['hook-timeout'],
  postpone: flags.postpone,
  postponeFile: flags['postpone-file'],
  readersFirst: flags['readers-first'],
})
