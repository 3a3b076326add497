import { int16, int32, nullableString, string, struct } from '../../wire/index.ts'
import { api } from '../api.ts'

/** Says that a member lives; the answer says whether it still is one, and whether the group is joining anew (error 27). */
export const Heartbeat = api({
  name: 'Heartbeat',
  key: 12,
  versions: [3, 4],
  flexibleFrom: 4,
  request: struct({
    groupId: string,
    generationId: int32,
    memberId: string,
    groupInstanceId: nullableString,
  }),
  response: struct({ throttleTimeMs: int32, errorCode: int16 }),
})
