import { Flags } from '@oclif/core'
import { KmigError } from '../kit/index.ts'
import { durationFlag, listFlag } from './flags.ts'

/** What `kmig mirror` lets choose, in the words of the rooms that do it. */
export type Choices<Sync extends string, Policies extends readonly string[]> = {
  sync: readonly Sync[]
  syncDefault: readonly Sync[]
  offsets: Policies
  offsetsDefault: Policies[number]
  fillingLimitMs: number
}

/**
 * What is copied, how its offsets are kept, and what that may cost. The words are given by the command: every command
 * loads this file, and only one of them needs the rooms that know them.
 */
export const offsetFlags = <Sync extends string, Policies extends readonly string[]>({
  sync,
  syncDefault,
  offsets,
  offsetsDefault,
  fillingLimitMs,
}: Choices<Sync, Policies>) => ({
  sync: listFlag(
    sync,
    `what to copy beside records and group offsets: some of ${sync.join(',')}; default ${syncDefault.join(',')}`,
  ),
  'accept-gap': Flags.string({
    summary: 'go on without what the source deleted from a partition before it was copied (repeatable)',
    multiple: true,
    helpValue: '<topic-partition[:offset]>',
  }),
  offsets: Flags.option({
    summary:
      'how offsets are kept; auto: identical while filling the holes of a partition is within --filling-limit',
    options: offsets,
    default: offsetsDefault,
  })(),
  'filling-limit': durationFlag({
    summary: 'longest that filling the holes of a partition may take before auto translates it',
    default: fillingLimitMs,
  }),
  'padding-limit': Flags.custom<bigint>({
    summary: 'most offsets of padding to write without asking; default what takes 10 minutes',
    helpValue: '<n>',
    parse: async text => {
      if (/^\d+$/.test(text)) return BigInt(text)
      throw new KmigError('USAGE', `--padding-limit '${text}' is not a whole number`)
    },
  })(),
})
