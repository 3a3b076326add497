import { brokerError, type Cluster, ERROR, type TopicMetadata } from '../kafka/index.ts'
import { type During, isKmigError, type KmigError } from '../kit/index.ts'

const isName = (glob: string): boolean => /^[\w.-]+$/.test(glob)

/**
 * Topics that were asked for by name, and that kmig's user may not even see: a list of all topics leaves them out. `seen`
 * are those that it holds.
 */
export const unseenTopics = async (
  source: Cluster,
  asked: readonly string[],
  seen: readonly string[],
  { signal }: During,
): Promise<TopicMetadata[]> => {
  const others = asked.filter(name => isName(name) && !seen.includes(name))
  const found = others.length > 0 ? await source.metadata(others, { signal }) : []
  return found.filter(({ error }) => error === ERROR.TOPIC_AUTHORIZATION_FAILED)
}

/** Why a topic that kmig's user may not see can't be mirrored. */
export const mayNot = (side: 'source' | 'target', topic: string): KmigError =>
  brokerError(
    ERROR.TOPIC_AUTHORIZATION_FAILED,
    `topic '${topic}' of the ${side}`,
    null,
    `Describe on topic ${topic}`,
  )

/** Notes what kmig's user may not do on a topic, and throws what else is wrong. */
export const ifDenied =
  (denied: Map<string, KmigError>) =>
  (topic: string, error: Error): void => {
    if (!isKmigError(error, 'AUTHORIZATION')) throw error
    denied.set(topic, error)
  }
