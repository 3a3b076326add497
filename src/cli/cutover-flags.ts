import { Flags } from '@oclif/core'
import { discoveryFlags, gitFlag, mentionFlag } from './discovery-flags.ts'
import { clusterFlags, countFlag, durationFlag, groupFlags, nameFlag, topicFlags } from './flags.ts'

export const runFlag = {
  run: Flags.string({ summary: 'id of the run; default the newest', helpValue: '<id>' }),
}

export const carryFlag = Flags.boolean({
  summary: 'copy what others wrote to the old cluster after the cut to the new one first',
})

/** The operator's own programs. */
export const hookFlags = {
  hooks: Flags.string({
    summary:
      'directory of executables: stop-readers, start-readers, pre-fence, fence, unfence, pre-switch, reload-clients, post-switch, rollback',
    helpValue: '<dir>',
  }),
  'hook-timeout': durationFlag({ summary: 'after so long a hook has failed', default: 30_000 }),
}

/** How writers are kept off the old cluster. */
const fenceFlags = {
  fence: Flags.string({
    summary:
      'manual: you stop the writers; hook, acl-deny, min-isr; default hook where there is one, else manual',
    helpValue: '<driver>',
  }),
  seal: Flags.string({
    summary:
      'what keeps writers off the old cluster after the switch: acl-deny; default what fenced it, if it can stay',
    helpValue: '<driver>',
  }),
  'accept-producer-errors': Flags.boolean({
    summary: 'writers may see errors that they do not retry (--fence acl-deny)',
  }),
  'max-fence': durationFlag({
    summary: 'how long writers may be kept off before kmig lets them go on',
    default: 45_000,
  }),
  'fence-attempts': countFlag({
    summary: 'how often they are kept off in all, where kmig had to let them go on with nothing moved',
    default: 3,
    min: 1,
  }),
  'fence-backoff': durationFlag({
    summary: 'the pause before the second attempt, at least as long as they stood still; it doubles',
    default: 5_000,
  }),
  'still-for': durationFlag({
    summary:
      'how long no log end may move, at least 1s; default 10s, or 1s behind a fence that proves itself',
  }),
}

/** What must be well before anything is done, and whose findings the operator takes. */
export const checkFlags = <T extends string>(checks: readonly T[]) => ({
  accept: Flags.option({
    summary: 'a check of kmig doctor whose findings do not block (repeatable)',
    options: checks,
    multiple: true,
    helpValue: '<id>',
  })(),
  'require-rehearsal': durationFlag({
    summary: 'block unless kmig rehearse went well with these topics, no longer ago than that',
  }),
})

/** Whether what clients write after the switch is copied back. */
const wayBackFlags = {
  'way-back': Flags.boolean({
    summary: 'arm the copy back at the switch, for a rollback that loses nothing',
    default: true,
    allowNo: true,
  }),
  'sync-acls': Flags.boolean({
    summary: 'copy ACLs too; those that let clients write are held back until the files are written',
    allowNo: true,
  }),
  contents: Flags.boolean({
    summary: 'compare the contents of both clusters, before the fence and inside it',
  }),
}

/** When a run goes on to its fence. */
const gateFlags = {
  postpone: Flags.boolean({ summary: 'wait before the fence until kmig cutover go' }),
  'postpone-file': Flags.string({
    summary: 'wait before the fence while this file exists',
    helpValue: '<file>',
  }),
}

/** What a cutover is of, and how it is done. */
export const cutoverFlags = {
  ...clusterFlags,
  ...topicFlags,
  ...groupFlags,
  ...nameFlag,
  ...discoveryFlags,
  'readers-first': Flags.string({
    summary: 'a group whose readers move before the writers are stopped; * and ? match; repeatable',
    helpValue: '<group>',
    multiple: true,
  }),
  'readers-within': durationFlag({ summary: 'how long live readers get to read all', default: 30_000 }),
  ...fenceFlags,
  ...hookFlags,
  ...wayBackFlags,
  ...gateFlags,
  ...mentionFlag,
  ...gitFlag,
}
