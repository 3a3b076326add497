import { int16, int32, int64, nullableString, optional, since, struct } from '../../wire/index.ts'
import { api } from '../api.ts'

/** A fresh producer id, unique in the cluster; without transactional id any broker answers. */
export const InitProducerId = api({
  name: 'InitProducerId',
  key: 22,
  versions: [0, 4],
  flexibleFrom: 2,
  request: struct({
    transactionalId: optional(nullableString, null),
    transactionTimeoutMs: optional(int32, 2_147_483_647),
    producerId: since(3, int64, -1n),
    producerEpoch: since(3, int16, -1),
  }),
  response: struct({ throttleTimeMs: int32, errorCode: int16, producerId: int64, producerEpoch: int16 }),
})
