export { Args, Flags } from '@oclif/core'
export { BaseCommand, type Work } from './base-command.ts'
export { carryFlag, checkFlags, cutoverFlags, hookFlags, runFlag } from './cutover-flags.ts'
export { discoveryFlags, editFlags, gitFlag, mentionFlag } from './discovery-flags.ts'
export { envelope, int64 } from './envelope.ts'
export {
  bytesFlag,
  clusterFlags,
  countFlag,
  durationFlag,
  groupFlags,
  nameFlag,
  paceFlags,
  topicFlags,
} from './flags.ts'
export { offsetFlags } from './offset-flags.ts'
export type { Progress } from './progress.ts'
export { rehearseFlags } from './rehearse-flags.ts'
export { loadFlags, stressFlags } from './stress-flags.ts'
export type { View } from './view.ts'
export { followFlags, keepFlags, pathFlags, preserveFlags } from './zk-flags.ts'
