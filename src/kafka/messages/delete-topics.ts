import { array, int16, int32, nullableString, since, string, struct } from '../../wire/index.ts'
import { api } from '../api.ts'

/** Deletes topics by name; asked of the controller. v6 deletes by id as well and is not used. */
export const DeleteTopics = api({
  name: 'DeleteTopics',
  key: 20,
  versions: [1, 5],
  flexibleFrom: 4,
  request: struct({ names: array(string), timeoutMs: int32 }),
  response: struct({
    throttleTimeMs: int32,
    topics: array(struct({ name: string, errorCode: int16, errorMessage: since(5, nullableString, null) })),
  }),
})
