import { array, int8, int16, int32, nullableString, since, string, struct } from '../../wire/index.ts'
import { api } from '../api.ts'

const LITERAL = 3
const ACL = {
  resourceType: int8,
  name: string,
  patternType: since(1, int8, LITERAL),
  principal: string,
  host: string,
  operation: int8,
  permission: int8,
}
/** Null matches anything. */
const filter = struct({ ...ACL, name: nullableString, principal: nullableString, host: nullableString })

/** The ACLs that match a filter; any broker answers. Error 54 where there is no authorizer. */
export const DescribeAcls = api({
  name: 'DescribeAcls',
  key: 29,
  versions: [1, 3],
  flexibleFrom: 2,
  request: filter,
  response: struct({
    throttleTimeMs: int32,
    errorCode: int16,
    errorMessage: nullableString,
    resources: array(
      struct({
        resourceType: int8,
        name: string,
        patternType: since(1, int8, LITERAL),
        acls: array(struct({ principal: string, host: string, operation: int8, permission: int8 })),
      }),
    ),
  }),
})

/** Makes ACLs; one result each, in order. One that is there already is made again without harm. */
export const CreateAcls = api({
  name: 'CreateAcls',
  key: 30,
  versions: [1, 3],
  flexibleFrom: 2,
  request: struct({ creations: array(struct(ACL)) }),
  response: struct({
    throttleTimeMs: int32,
    results: array(struct({ errorCode: int16, errorMessage: nullableString })),
  }),
})

/** Deletes the ACLs that match filters, and names them. */
export const DeleteAcls = api({
  name: 'DeleteAcls',
  key: 31,
  versions: [1, 3],
  flexibleFrom: 2,
  request: struct({
    filters: array(filter),
  }),
  response: struct({
    throttleTimeMs: int32,
    results: array(
      struct({
        errorCode: int16,
        errorMessage: nullableString,
        matches: array(
          struct({
            errorCode: int16,
            errorMessage: nullableString,
            ...ACL,
          }),
        ),
      }),
    ),
  }),
})
