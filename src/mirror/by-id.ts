import {
  type Connection,
  Fetch,
  FetchById,
  NO_TOPIC_ID,
  Produce,
  ProduceById,
  type RequestOf,
  type ResponseOf,
  type SendOptions,
} from '../kafka/index.ts'

/** Topic ids by name, of one cluster. */
export type TopicIds = ReadonlyMap<string, string>

type Named = { topic: string }
type Identified = { topicId: string }

const idsOf = (topics: readonly Named[], ids: TopicIds): Map<string, string> | undefined => {
  const found = new Map(topics.map(({ topic }) => [ids.get(topic) ?? NO_TOPIC_ID, topic] as const))
  return found.has(NO_TOPIC_ID) ? undefined : found
}
const identified = <T extends Named>(topics: readonly T[], ids: TopicIds) =>
  topics.map(each => ({ ...each, topicId: ids.get(each.topic) ?? NO_TOPIC_ID }))
const named = <T extends Identified>(topics: readonly T[], byId: ReadonlyMap<string, string>) =>
  topics.map(each => ({ ...each, topic: byId.get(each.topicId) ?? '' }))

const names = new WeakMap<TopicIds, ReadonlyMap<string, string>>()
/** Topics by id: of all, as an answer within a fetch session may be about any. */
const namesOf = (ids: TopicIds): ReadonlyMap<string, string> => {
  const known = names.get(ids)
  if (known && known.size === ids.size) return known
  const found = new Map([...ids].map(([topic, id]) => [id, topic] as const))
  names.set(ids, found)
  return found
}

/**
 * Fetches by topic id where the broker can and every topic has one: it then refuses a topic that was deleted and made
 * again. Else by name.
 */
export const fetchFrom = async (
  connection: Connection,
  ids: TopicIds,
  request: RequestOf<typeof Fetch>,
  options: SendOptions,
): Promise<ResponseOf<typeof Fetch>> => {
  const { forgottenTopics = [], topics, ...rest } = request
  const byId = namesOf(ids)
  if (byId.has(NO_TOPIC_ID) || connection.supports(FetchById) === undefined)
    return await connection.send(Fetch, request, options)
  const answer = await connection.send(
    FetchById,
    { ...rest, topics: identified(topics, ids), forgottenTopics: identified(forgottenTopics, ids) },
    options,
  )
  return { ...answer, topics: named(answer.topics, byId) }
}

/** Produces by topic id where the broker can, as `fetchFrom` fetches. */
export const produceTo = async (
  connection: Connection,
  ids: TopicIds,
  request: RequestOf<typeof Produce>,
  options: SendOptions,
): Promise<ResponseOf<typeof Produce>> => {
  const names = idsOf(request.topics, ids)
  if (!names || connection.supports(ProduceById) === undefined)
    return await connection.send(Produce, request, options)
  const topics = identified(request.topics, ids)
  const answer = await connection.send(ProduceById, { ...request, topics }, options)
  return { ...answer, topics: named(answer.topics, names) }
}
