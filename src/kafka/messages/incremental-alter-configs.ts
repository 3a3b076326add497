import {
  array,
  bool,
  int8,
  int16,
  int32,
  nullableString,
  optional,
  string,
  struct,
} from '../../wire/index.ts'
import { api } from '../api.ts'

/** Source: org.apache.kafka.clients.admin.AlterConfigOp.OpType. */
export const ALTER = { set: 0, delete: 1, append: 2, subtract: 3 } as const

/** Changes single settings and leaves the others (KIP-339, 2.3); topics anywhere, a broker's at that broker. */
export const IncrementalAlterConfigs = api({
  name: 'IncrementalAlterConfigs',
  key: 44,
  versions: [0, 1],
  flexibleFrom: 1,
  request: struct({
    resources: array(
      struct({
        type: int8,
        name: string,
        configs: array(struct({ name: string, operation: int8, value: optional(nullableString, null) })),
      }),
    ),
    validateOnly: optional(bool, false),
  }),
  response: struct({
    throttleTimeMs: int32,
    resources: array(struct({ errorCode: int16, errorMessage: nullableString, type: int8, name: string })),
  }),
})
