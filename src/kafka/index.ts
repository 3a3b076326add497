export type { Security } from '../config/index.ts'
export { type Acl, createAcls, deleteAcls, listAcls } from './acls.ts'
export { type Api, type ApiTable, api, type RequestOf, type ResponseOf } from './api.ts'
export {
  type AskOptions,
  type Broker,
  Cluster,
  type ClusterAddress,
  type ClusterOptions,
  type RequestOptions,
} from './cluster.ts'
export {
  alterConfigs,
  alterTopicConfigs,
  type ConfigChange,
  type ConfigEntry,
  type ConfigResource,
  type ConfigSource,
  describeConfigs,
  describeTopicConfigs,
  tryTopicConfigs,
} from './configs.ts'
export { Connection, type ConnectionOptions, type SendOptions } from './connection.ts'
export {
  brokerError,
  type Cure,
  ERROR,
  isRetriable,
  type KafkaError,
  kafkaError,
  kafkaErrorOf,
  needsMetadata,
} from './errors.ts'
export type { DeleteRecordsAsk, EpochAsk, EpochEnd, ListedOffset, OffsetAsk } from './fan-out.ts'
export { FramePool } from './frame-pool.ts'
export {
  type CommitResult,
  type CommittedOffset,
  commitOffsets,
  describeGroups,
  type Group,
  type GroupDescription,
  type GroupMember,
  type GroupOffsetsOptions,
  groupOffsets,
  listGroups,
} from './groups.ts'
export * from './kafka-js.ts'
export { Lease, type Moment, moment } from './lease.ts'
export {
  listOpenTransactions,
  listTransactionalIds,
  type OpenTransactionState,
  type TransactionalId,
} from './list-transactions.ts'
export { type Member, Membership, type MembershipOptions, type Tenure } from './membership.ts'
export * from './messages/index.ts'
export {
  listClientMetrics,
  listGroupSettings,
  type ResourceSettings,
} from './more-resources.ts'
export { describeProducers, type ProducerState } from './producers.ts'
export { listQuotas, type Quota, type QuotaEntity, quotaKey, setQuotas } from './quotas.ts'
export * from './records/index.ts'
export { type Rights, rightsOf } from './rights.ts'
export {
  type Leader,
  type PartitionMetadata,
  partitionKey,
  partitionOf,
  type TopicMetadata,
} from './routes.ts'
export { listScramUsers, type ScramUser } from './scram-users.ts'
export { createPartitions, createTopics, deleteTopics, type NewTopic, tryTopics } from './topics.ts'
export { brokerVersions, isAtLeast, versionOf } from './versions.ts'
