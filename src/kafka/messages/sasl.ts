import { array, bytes, int16, int64, nullableString, since, string, struct } from '../../wire/index.ts'
import { api } from '../api.ts'

/** The mechanism that the client wants. From version 1 on tokens travel in SaslAuthenticate. Never flexible (KAFKA-9577). */
export const SaslHandshake = api({
  name: 'SaslHandshake',
  key: 17,
  versions: [1, 1],
  flexibleFrom: Number.POSITIVE_INFINITY,
  request: struct({ mechanism: string }),
  response: struct({ errorCode: int16, mechanisms: array(string) }),
})

/** One step of the mechanism. The last answer tells how long the session lives, 0 for ever (KIP-368). */
export const SaslAuthenticate = api({
  name: 'SaslAuthenticate',
  key: 36,
  versions: [0, 2],
  flexibleFrom: 2,
  request: struct({ authBytes: bytes }),
  response: struct({
    errorCode: int16,
    errorMessage: nullableString,
    authBytes: bytes,
    sessionLifetimeMs: since(1, int64, 0n),
  }),
})
