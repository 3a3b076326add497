import { array, bool, bytes, int16, int32, nullableString, since, string, struct } from '../../wire/index.ts'
import { api } from '../api.ts'

/**
 * Joins a group of the classic protocol, and waits until all its members have joined. The leader's answer holds the
 * members with their metadata. With a `groupInstanceId` a restarted process takes its own place at once (KIP-345).
 */
export const JoinGroup = api({
  name: 'JoinGroup',
  key: 11,
  versions: [5, 9],
  flexibleFrom: 6,
  request: struct({
    groupId: string,
    sessionTimeoutMs: int32,
    rebalanceTimeoutMs: int32,
    memberId: string,
    groupInstanceId: nullableString,
    protocolType: string,
    protocols: array(struct({ name: string, metadata: bytes })),
    reason: since(8, nullableString, null),
  }),
  response: struct({
    throttleTimeMs: int32,
    errorCode: int16,
    generationId: int32,
    protocolType: since(7, nullableString, null),
    protocolName: nullableString,
    leader: string,
    skipAssignment: since(9, bool, false),
    memberId: string,
    members: array(struct({ memberId: string, groupInstanceId: nullableString, metadata: bytes })),
  }),
})
