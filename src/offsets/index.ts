export {
  type Bounds,
  type GroupReport,
  type GroupRow,
  type GroupSyncOptions,
  judgeOffset,
  type OffsetOutcome,
  syncGroups,
} from './group-sync.ts'
export { type Beginning, OffsetMap, type Shift, type Translation, type Unkept } from './offset-map.ts'
export { type Base, type Gap, RunMap } from './run-map.ts'
export { mapOf } from './run-text.ts'
export { StateTopic, stateTopicOf } from './state-topic.ts'
