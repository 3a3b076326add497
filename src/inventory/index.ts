export { type AclPlan, aclKey, aclText, allowsWriting, planAcls } from './acls.ts'
export {
  type Applied,
  applyBelongings,
  type Belongings,
  type BelongingsOptions,
  entriesOf,
  lookAtBelongings,
} from './belongings.ts'
export {
  ENTRY_KINDS,
  type Entry,
  type EntryKind,
  type Found,
  SYNC,
  SYNC_DEFAULT,
  type Sync,
} from './entry.ts'
export { planQuotas, type QuotaPlan, quotaText } from './quotas.ts'
export { learnLimit, limitsSeenIn, noLimits, type SettingLimits } from './setting-limits.ts'
export { type ConfigPlan, planConfigs, releaseOf, type TopicConfig } from './topic-configs.ts'
export { type BrokerSettings, brokerEntries, userEntries } from './uncopied.ts'
