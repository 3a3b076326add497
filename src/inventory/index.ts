export { type ConfigPlan, planConfigs, releaseOf, type TopicConfig } from './topic-configs.ts'
