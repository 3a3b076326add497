import { array, int16, int32, since, string, struct } from '../../wire/index.ts'
import { api } from '../api.ts'

/** Which versions of which APIs a broker speaks. Its answer's header is never flexible, and error 35 is a v0 answer. */
export const ApiVersions = api({
  name: 'ApiVersions',
  key: 18,
  versions: [0, 3],
  flexibleFrom: 3,
  request: struct({
    clientSoftwareName: since(3, string, ''),
    clientSoftwareVersion: since(3, string, ''),
  }),
  response: struct({
    errorCode: int16,
    apiKeys: array(struct({ apiKey: int16, minVersion: int16, maxVersion: int16 })),
    throttleTimeMs: since(1, int32, 0),
  }),
})
