import { Flags } from '@oclif/core'
import { durationFlag } from './flags.ts'

/** Of each znode besides data and ACL. */
export const preserveFlags = {
  'preserve-versions': Flags.boolean({ summary: 'the copies have the data versions of the source' }),
  'preserve-sequence': Flags.string({
    summary: 'parents whose counter of sequential children is kept (glob, repeatable)',
    multiple: true,
    helpValue: '<glob>',
  }),
}

/** What a copy of znodes is of, and what it keeps besides data and ACL. */
export const keepFlags = {
  preset: Flags.option({
    summary: 'what the copy is of; kafka: its metadata, with what brokers need, looked at before and after',
    options: ['kafka'] as const,
  })(),
  live: Flags.boolean({
    summary: 'with --preset: brokers still run on the source, this is only the bulk ahead',
    dependsOn: ['preset'],
  }),
  ...preserveFlags,
  container: Flags.string({
    summary: 'paths to create as containers (glob, repeatable)',
    multiple: true,
    helpValue: '<glob>',
  }),
  ttl: Flags.string({
    summary: 'paths to create with a time to live (repeatable)',
    multiple: true,
    helpValue: '<glob=ms>',
  }),
  'types-from': Flags.string({
    summary: 'printed snapshot of the source that tells containers and times to live',
    helpValue: '<file>',
  }),
}

/** Which znodes. */
export const pathFlags = {
  include: Flags.string({
    summary: 'paths below the root to copy (glob, repeatable); default all',
    multiple: true,
  }),
  exclude: Flags.string({
    summary: 'paths to leave alone with all below (glob, repeatable)',
    multiple: true,
  }),
}

/** How a copy is held back, kept for a way back, and goes on. */
export const followFlags = {
  backup: Flags.string({ summary: 'file for what is replaced, for zk restore', exclusive: ['check'] }),
  rate: Flags.string({
    summary:
      'most written a second: 2000 (operations), 5MB/s (bytes), or both; pauses while the target is slow',
    multiple: true,
    helpValue: '<rate>',
  }),
  tail: Flags.boolean({
    summary: 'follow the source after the copy, until SIGINT, SIGTERM or --until-quiet',
    exclusive: ['check', 'since'],
  }),
  'until-quiet': durationFlag({
    summary: 'end --tail when the source had no change for so long',
    dependsOn: ['tail'],
  }),
}
