import { type ConfigPlan, learnLimit, type SettingLimits } from '../inventory/index.ts'
import { type Cluster, type NewTopic, tryTopicConfigs, tryTopics } from '../kafka/index.ts'
import { type During, isKmigError, type KmigError } from '../kit/index.ts'
import type { TopicPlan } from './plan.ts'
import { isAnew, refusedBy } from './verdict.ts'

/** A broker names one setting at a time. */
const ROUNDS = 30

export const newTopicOf = ({ topic, partitions, replicationFactor, configs }: TopicPlan): NewTopic => ({
  name: topic,
  partitions: partitions.length,
  replicationFactor,
  configs: { ...configs.final, ...configs.held },
})

type TryOutOptions = During & {
  target: Cluster
  /** Grows by what is learned. */
  limits: SettingLimits
  /** What the settings of a topic's copy are, by the limits that are known now. */
  configsOf(topic: string): ConfigPlan
}

/**
 * Asks the target whether it would take what is planned. A setting that it refuses becomes a changed or refused row of
 * the plan; a topic that it refuses for another reason (its name, a policy, a right that is missing) is refused by name.
 * Changes the plan of these topics, and nothing on the target.
 */
export const tryOut = async (topics: readonly TopicPlan[], o: TryOutOptions): Promise<void> => {
  let left = topics.filter(({ action, configs }) => {
    return action === 'create' || (action !== 'refuse' && Object.keys(configs.final).length > 0)
  })
  for (let round = 0; left.length > 0 && round < ROUNDS; round++) {
    const errors = await refusals(left, o)
    const again: TopicPlan[] = []
    for (const plan of left) {
      const error = errors.get(plan.topic)
      if (!error) continue
      const { final, held } = plan.configs
      if (learnLimit(o.limits, { ...final, ...held }, error.message)) again.push(plan)
      else if (await dropOne(plan, error, o)) again.push(plan)
      else if (plan.action === 'create') Object.assign(plan, refusedBy(error))
    }
    if (again.length > 0)
      for (const plan of topics) if (plan.action !== 'refuse') plan.configs = o.configsOf(plan.topic)
    left = again
  }
}

const refusals = async (
  topics: readonly TopicPlan[],
  { target, signal }: TryOutOptions,
): Promise<Map<string, KmigError>> => {
  const [make, keep] = [
    topics.filter(({ action }) => action === 'create'),
    topics.filter(({ action }) => action !== 'create'),
  ]
  const set = new Map(keep.map(({ topic, configs }) => [topic, configs.final]))
  return new Map([
    ...(await tryTopics(target, make.map(newTopicOf), { signal })),
    ...(await tryTopicConfigs(target, set, { signal })),
  ])
}

/** Where the words of the target name no setting: the one without which it takes the topic is not copied. */
const dropOne = async (
  plan: TopicPlan,
  error: KmigError,
  { target, limits, signal }: TryOutOptions,
): Promise<boolean> => {
  if (!isAnew(plan.action) || !isKmigError(error, 'BROKER') || !/INVALID_CONFIG/.test(error.message))
    return false
  for (const [name, value] of Object.entries(plan.configs.final)) {
    if (name in plan.configs.held) continue
    const { [name]: _, ...final } = plan.configs.final
    const without = newTopicOf({ ...plan, configs: { ...plan.configs, final } })
    if ((await tryTopics(target, [without], { signal })).size > 0) continue
    limits.refused.set(`${name}=${value}`, error.message.replace(/^.*INVALID_CONFIG \(\d+\):? ?/, ''))
    return true
  }
  return false
}
