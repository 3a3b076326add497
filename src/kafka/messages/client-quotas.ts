import {
  array,
  bool,
  float64,
  int8,
  int16,
  int32,
  nullableArray,
  nullableString,
  optional,
  string,
  struct,
} from '../../wire/index.ts'
import { api } from '../api.ts'

/** Who is bounded: parts 'user', 'client-id' or 'ip', each with a name, or null for the default of all. */
const entity = array(struct({ type: string, name: nullableString }))

/** Quotas of clients (KIP-546, 2.6); without a component it gives all. */
export const DescribeClientQuotas = api({
  name: 'DescribeClientQuotas',
  key: 48,
  versions: [0, 1],
  flexibleFrom: 1,
  request: struct({
    components: array(struct({ type: string, matchType: int8, match: nullableString })),
    strict: optional(bool, false),
  }),
  response: struct({
    throttleTimeMs: int32,
    errorCode: int16,
    errorMessage: nullableString,
    entries: nullableArray(struct({ entity, values: array(struct({ key: string, value: float64 })) })),
  }),
})

/** Sets and removes quotas; one result per entity. */
export const AlterClientQuotas = api({
  name: 'AlterClientQuotas',
  key: 49,
  versions: [0, 1],
  flexibleFrom: 1,
  request: struct({
    entries: array(
      struct({ entity, ops: array(struct({ key: string, value: float64, remove: optional(bool, false) })) }),
    ),
    validateOnly: optional(bool, false),
  }),
  response: struct({
    throttleTimeMs: int32,
    entries: array(struct({ errorCode: int16, errorMessage: nullableString, entity })),
  }),
})
