export {
  type Bounds,
  type GroupReport,
  type GroupRow,
  type GroupSyncOptions,
  judgeOffset,
  type OffsetOutcome,
  syncGroups,
} from './group-sync.ts'
export { StateTopic, stateTopicOf } from './state-topic.ts'
