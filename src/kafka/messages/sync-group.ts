import { array, bytes, int16, int32, nullableString, since, string, struct } from '../../wire/index.ts'
import { api } from '../api.ts'

/** Ends a join: the leader hands out what each member gets, the others wait for theirs. */
export const SyncGroup = api({
  name: 'SyncGroup',
  key: 14,
  versions: [3, 5],
  flexibleFrom: 4,
  request: struct({
    groupId: string,
    generationId: int32,
    memberId: string,
    groupInstanceId: nullableString,
    protocolType: since(5, nullableString, null),
    protocolName: since(5, nullableString, null),
    assignments: array(struct({ memberId: string, assignment: bytes })),
  }),
  response: struct({
    throttleTimeMs: int32,
    errorCode: int16,
    protocolType: since(5, nullableString, null),
    protocolName: since(5, nullableString, null),
    assignment: bytes,
  }),
})
