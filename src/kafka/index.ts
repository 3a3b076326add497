export { type Api, type ApiTable, api, type RequestOf, type ResponseOf } from './api.ts'
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
export * from './messages/index.ts'
export * from './records/index.ts'
