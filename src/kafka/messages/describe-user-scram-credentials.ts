import { array, int8, int16, int32, nullableArray, nullableString, string, struct } from '../../wire/index.ts'
import { api } from '../api.ts'

/** Which users have SCRAM credentials (KIP-554, 2.7): mechanism and iterations, never a hash. No users, or null, ask for all. */
export const DescribeUserScramCredentials = api({
  name: 'DescribeUserScramCredentials',
  key: 50,
  versions: [0, 0],
  flexibleFrom: 0,
  request: struct({ users: nullableArray(struct({ name: string })) }),
  response: struct({
    throttleTimeMs: int32,
    errorCode: int16,
    errorMessage: nullableString,
    results: array(
      struct({
        user: string,
        errorCode: int16,
        errorMessage: nullableString,
        credentials: array(struct({ mechanism: int8, iterations: int32 })),
      }),
    ),
  }),
})
