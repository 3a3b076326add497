export { type ClusterConfig, Clusters, CONFIG_FILE, type FindOptions, findClusters } from './clusters.ts'
export { cacheDirectory, configDirectory, type Env, stateDirectory } from './directories.ts'
export { discoveryDirectories, type LookupDirectory } from './discovery-directories.ts'
export { parseProperties } from './java-properties.ts'
export { type ClientProperties, readProperties } from './properties.ts'
export { Secret } from './secret.ts'
export { refuseOpen } from './secret-file.ts'
export {
  type OwnCertificate,
  SASL_MECHANISMS,
  type Sasl,
  type SaslMechanism,
  type Security,
  saslOf,
  type Tls,
  tlsOf,
} from './security.ts'
export { tlsFailure } from './tls-failure.ts'
export { tlsOptions } from './tls-options.ts'
export {
  readZookeeperProperties,
  type ZookeeperProperties,
  zookeeperWarnings,
} from './zookeeper-properties.ts'
