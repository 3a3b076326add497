import {
  array,
  bool,
  int8,
  int16,
  int32,
  nullableString,
  optional,
  since,
  string,
  struct,
  uuid,
} from '../../wire/index.ts'
import { api } from '../api.ts'

const assignment = struct({
  topics: array(struct({ topicId: uuid, topic: string, partitions: array(int32) })),
})

/** State and members of groups of the new consumer protocol (KIP-848, 3.7); asked of their coordinator. */
export const ConsumerGroupDescribe = api({
  name: 'ConsumerGroupDescribe',
  key: 69,
  versions: [0, 1],
  flexibleFrom: 0,
  request: struct({ groups: array(string), includeAuthorizedOperations: optional(bool, false) }),
  response: struct({
    throttleTimeMs: int32,
    groups: array(
      struct({
        errorCode: int16,
        errorMessage: nullableString,
        groupId: string,
        state: string,
        groupEpoch: int32,
        assignmentEpoch: int32,
        assignor: string,
        members: array(
          struct({
            memberId: string,
            instanceId: nullableString,
            rackId: nullableString,
            memberEpoch: int32,
            clientId: string,
            clientHost: string,
            topics: array(string),
            topicRegex: nullableString,
            assignment,
            targetAssignment: assignment,
            memberType: since(1, int8, -1),
          }),
        ),
        authorizedOperations: int32,
      }),
    ),
  }),
})
