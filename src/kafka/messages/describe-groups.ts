import { array, bool, bytes, int16, int32, nullableString, since, string, struct } from '../../wire/index.ts'
import { api } from '../api.ts'

/** State and members of groups, asked of their coordinator. A group that does not exist is 'Dead' (from v6 on an error). */
export const DescribeGroups = api({
  name: 'DescribeGroups',
  key: 15,
  versions: [0, 5],
  flexibleFrom: 5,
  request: struct({ groups: array(string), includeAuthorizedOperations: since(3, bool, false) }),
  response: struct({
    throttleTimeMs: since(1, int32, 0),
    groups: array(
      struct({
        errorCode: int16,
        groupId: string,
        state: string,
        protocolType: string,
        protocol: string,
        members: array(
          struct({
            memberId: string,
            groupInstanceId: since(4, nullableString, null),
            clientId: string,
            clientHost: string,
            metadata: bytes,
            assignment: bytes,
          }),
        ),
        authorizedOperations: since(3, int32, -2_147_483_648),
      }),
    ),
  }),
})
