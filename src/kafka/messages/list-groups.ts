import { array, int16, int32, since, string, struct } from '../../wire/index.ts'
import { api } from '../api.ts'

/** The groups that one broker coordinates. State from v4 (2.6), type from v5 (3.8: classic or consumer). */
export const ListGroups = api({
  name: 'ListGroups',
  key: 16,
  versions: [0, 5],
  flexibleFrom: 3,
  request: struct({ statesFilter: since(4, array(string), []), typesFilter: since(5, array(string), []) }),
  response: struct({
    throttleTimeMs: since(1, int32, 0),
    errorCode: int16,
    groups: array(
      struct({
        groupId: string,
        protocolType: string,
        state: since(4, string, ''),
        type: since(5, string, ''),
      }),
    ),
  }),
})
