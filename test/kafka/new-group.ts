import { api, type Cluster } from '../../src/kafka/index.ts'
import {
  array,
  type Field,
  int8,
  int16,
  int32,
  nullableArray,
  nullableString,
  string,
  struct,
  uuid,
} from '../../src/wire/index.ts'

const orNull = <Out, In>(inner: Field<Out, In>): Field<Out | null, In | null> => ({
  read: (from, at) => (int8.read(from, at) < 0 ? null : inner.read(from, at)),
  write: (to, value, at) => {
    int8.write(to, value === null ? -1 : 1, at)
    if (value !== null) inner.write(to, value, at)
  },
})
const partitions = struct({ topicId: uuid, partitions: array(int32) })

const heartbeat = {
  name: 'ConsumerGroupHeartbeat',
  key: 68,
  versions: [0, 0] as const,
  request: struct({
    groupId: string,
    memberId: string,
    memberEpoch: int32,
    instanceId: nullableString,
    rackId: nullableString,
    rebalanceTimeoutMs: int32,
    topics: nullableArray(string),
    assignor: nullableString,
    owned: nullableArray(partitions),
  }),
  response: struct({
    throttleTimeMs: int32,
    errorCode: int16,
    errorMessage: nullableString,
    memberId: nullableString,
    memberEpoch: int32,
    heartbeatIntervalMs: int32,
    assignment: orNull(struct({ topics: array(partitions) })),
  }),
}
const Heartbeat = api({ ...heartbeat, flexibleFrom: 0 })

/** Joins a group of the new consumer protocol (KIP-848), which kafkajs can't; the returned function leaves it. */
export const joinNewGroup = async (
  cluster: Cluster,
  groupId: string,
  topics: readonly string[],
): Promise<() => Promise<void>> => {
  const beat = async (memberId: string, memberEpoch: number) => {
    const joining = memberEpoch === 0
    const answer = await cluster.coordinator(groupId, Heartbeat, {
      groupId,
      memberId,
      memberEpoch,
      instanceId: null,
      rackId: null,
      rebalanceTimeoutMs: joining ? 60_000 : -1,
      topics: joining ? topics : null,
      assignor: null,
      owned: joining ? [] : null,
    })
    if (answer.errorCode !== 0) throw new Error(`heartbeat of ${groupId}: ${answer.errorMessage}`)
    return answer.memberId ?? memberId
  }
  const memberId = await beat('', 0)
  return async () => void (await beat(memberId, -1))
}
