import { array, int16, int32, int64, string, struct } from '../../wire/index.ts'
import { api } from '../api.ts'

/** Transactions that a broker coordinates; without filters all. Source: KIP-664 (brokers from 3.0 on). */
export const ListTransactions = api({
  name: 'ListTransactions',
  key: 66,
  versions: [0, 0],
  flexibleFrom: 0,
  request: struct({ states: array(string), producerIds: array(int64) }),
  response: struct({
    throttleTimeMs: int32,
    errorCode: int16,
    unknownStates: array(string),
    transactions: array(struct({ transactionalId: string, producerId: int64, state: string })),
  }),
})
