export {
  type GroupReport,
  type GroupRow,
  type GroupSyncOptions,
  syncGroups,
  type Written,
} from './group-sync.ts'
export { type Bounds, expires, judgeOffset, type OffsetOutcome } from './judge.ts'
export { takesNone, unmovable } from './movable.ts'
export { type Beginning, OffsetMap, type Shift, type Translation, type Unkept } from './offset-map.ts'
export { type Base, type Gap, RunMap } from './run-map.ts'
export { mapOf } from './run-text.ts'
export { StateTopic, stateTopicOf } from './state-topic.ts'
