import { pbkdf2Sync } from 'node:crypto'
import { api, type Cluster } from '../../src/kafka/index.ts'
import { array, bytes, int8, int16, int32, nullableString, string, struct } from '../../src/wire/index.ts'

const AlterUserScramCredentials = api({
  name: 'AlterUserScramCredentials',
  key: 51,
  versions: [0, 0],
  flexibleFrom: 0,
  request: struct({
    deletions: array(struct({ name: string, mechanism: int8 })),
    upsertions: array(
      struct({ name: string, mechanism: int8, iterations: int32, salt: bytes, saltedPassword: bytes }),
    ),
  }),
  response: struct({
    throttleTimeMs: int32,
    results: array(struct({ user: string, errorCode: int16, errorMessage: nullableString })),
  }),
})

const SHA_256 = 1
const ITERATIONS = 4_096

/** Makes a user with a SCRAM-SHA-256 credential. */
export const setScramUser = async (cluster: Cluster, name: string, password: string): Promise<void> => {
  const salt = Buffer.from('a-salt-of-the-test')
  const saltedPassword = pbkdf2Sync(password, salt, ITERATIONS, 32, 'sha256')
  const credential = { name, mechanism: SHA_256, iterations: ITERATIONS, salt, saltedPassword }
  const { results } = await cluster.controller(AlterUserScramCredentials, {
    deletions: [],
    upsertions: [credential],
  })
  for (const { errorCode, errorMessage } of results)
    if (errorCode !== 0) throw new Error(`credential of ${name}: ${errorCode} ${errorMessage}`)
}
