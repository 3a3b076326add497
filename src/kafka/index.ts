export { type Api, type ApiTable, api, type RequestOf, type ResponseOf } from './api.ts'
export {
  type AskOptions,
  type Broker,
  Cluster,
  type ClusterOptions,
  type RequestOptions,
} from './cluster.ts'
export { Connection, type ConnectionOptions, type Security, type SendOptions } from './connection.ts'
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
export * from './messages/index.ts'
export * from './records/index.ts'
export { type Leader, type PartitionMetadata, partitionKey, type TopicMetadata } from './routes.ts'
