import { Flags } from '@oclif/core'
import { discoveryFlags, mentionFlag } from './discovery-flags.ts'
import { clusterFlags, countFlag, durationFlag, groupFlags, topicFlags } from './flags.ts'

/** What a rehearsal is of, and how it is played. */
export const rehearseFlags = {
  ...clusterFlags,
  ...topicFlags,
  ...groupFlags,
  discovery: Flags.string({
    summary: 'directory of discovery files',
    exactlyOne: ['discovery', 'clean'],
    helpValue: '<dir>',
  }),
  'follow-symlinks': discoveryFlags['follow-symlinks'],
  ...mentionFlag,
  sample: countFlag({ summary: 'records of each partition to clone, the newest', default: 200, min: 0 }),
  'still-for': durationFlag({ summary: 'what the real cutover will be given', default: 10_000 }),
  contents: Flags.boolean({ summary: 'compare contents too, as of cutover' }),
  crashes: Flags.boolean({
    summary:
      'kill a cutover and a rollback behind each line of their journal, and start them again; default as far as that goes within 4 minutes',
    allowNo: true,
  }),
  keep: Flags.boolean({ summary: 'keep logs, journals and the copied files, and print where they are' }),
  shadow: Flags.boolean({
    summary: 'on shadow topics and groups of the real clusters: named, asked for, deleted at the end',
    exclusive: ['crashes', 'clean'],
  }),
  yes: Flags.boolean({ summary: 'do not ask: what --shadow makes, what --clean deletes' }),
  clean: Flags.string({
    summary: 'delete what the rehearsal of this id has left on the real clusters',
    helpValue: '<id>',
  }),
}
