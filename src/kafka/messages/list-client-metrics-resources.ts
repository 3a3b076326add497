import { array, int16, int32, string, struct } from '../../wire/index.ts'
import { api } from '../api.ts'

/** Names of subscriptions of client metrics (KIP-714), from 3.7 on. */
export const ListClientMetricsResources = api({
  name: 'ListClientMetricsResources',
  key: 74,
  versions: [0, 0],
  flexibleFrom: 0,
  request: struct({}),
  response: struct({
    throttleTimeMs: int32,
    errorCode: int16,
    resources: array(struct({ name: string })),
  }),
})
