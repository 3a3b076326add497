export { type ClusterConfig, Clusters, CONFIG_FILE, type FindOptions, findClusters } from './clusters.ts'
export { cacheDirectory, configDirectory, type Env, stateDirectory } from './directories.ts'
export { type ClientProperties, parseProperties, readProperties } from './properties.ts'
export { Secret } from './secret.ts'
