import { Flags } from '@oclif/core'
import { SYNC, SYNC_DEFAULT } from '../inventory/index.ts'
import { KmigError } from '../kit/index.ts'
import { FILLING_LIMIT_MS, OFFSETS } from '../mirror/index.ts'
import { durationFlag, listFlag } from './flags.ts'

/** What is copied, how its offsets are kept, and what that may cost. */
export const offsetFlags = {
  sync: listFlag(
    SYNC,
    `what to copy beside records and group offsets: some of ${SYNC.join(',')}; default ${SYNC_DEFAULT.join(',')}`,
  ),
  'accept-gap': Flags.string({
    summary: 'go on without what the source deleted from a partition before it was copied (repeatable)',
    multiple: true,
    helpValue: '<topic-partition[:offset]>',
  }),
  offsets: Flags.option({
    summary:
      'how offsets are kept; auto: identical while filling the holes of a partition is within --filling-limit',
    options: OFFSETS,
    default: 'auto',
  })(),
  'filling-limit': durationFlag({
    summary: 'longest that filling the holes of a partition may take before auto translates it',
    default: FILLING_LIMIT_MS,
  }),
  'padding-limit': Flags.custom<bigint>({
    summary: 'most offsets of padding to write without asking; default what takes 10 minutes',
    helpValue: '<n>',
    parse: async text => {
      if (/^\d+$/.test(text)) return BigInt(text)
      throw new KmigError('USAGE', `--padding-limit '${text}' is not a whole number`)
    },
  })(),
}
