import { array, int16, int32, nullableString, since, string, struct } from '../../wire/index.ts'
import { api } from '../api.ts'

/** Takes members out of a group, so that the others need not wait for their session to end. */
export const LeaveGroup = api({
  name: 'LeaveGroup',
  key: 13,
  versions: [3, 5],
  flexibleFrom: 4,
  request: struct({
    groupId: string,
    members: array(
      struct({
        memberId: string,
        groupInstanceId: nullableString,
        reason: since(5, nullableString, null),
      }),
    ),
  }),
  response: struct({
    throttleTimeMs: int32,
    errorCode: int16,
    members: array(struct({ memberId: string, groupInstanceId: nullableString, errorCode: int16 })),
  }),
})
