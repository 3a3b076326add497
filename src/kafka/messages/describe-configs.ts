import {
  array,
  bool,
  int8,
  int16,
  int32,
  nullableArray,
  nullableString,
  optional,
  since,
  string,
  struct,
} from '../../wire/index.ts'
import { api } from '../api.ts'

/** Source: org.apache.kafka.common.config.ConfigResource.Type. */
export const RESOURCE = { topic: 2, broker: 4, 'client-metrics': 16, group: 32 } as const

/** Settings of topics (any broker answers) and of brokers (only the broker itself answers), with where each comes from. */
export const DescribeConfigs = api({
  name: 'DescribeConfigs',
  key: 32,
  versions: [1, 4],
  flexibleFrom: 4,
  request: struct({
    resources: array(struct({ type: int8, name: string, keys: optional(nullableArray(string), null) })),
    includeSynonyms: optional(bool, false),
    includeDocumentation: since(3, bool, false),
  }),
  response: struct({
    throttleTimeMs: int32,
    results: array(
      struct({
        errorCode: int16,
        errorMessage: nullableString,
        type: int8,
        name: string,
        configs: array(
          struct({
            name: string,
            value: nullableString,
            readOnly: bool,
            source: int8,
            isSensitive: bool,
            synonyms: array(struct({ name: string, value: nullableString, source: int8 })),
            configType: since(3, int8, 0),
            documentation: since(3, nullableString, null),
          }),
        ),
      }),
    ),
  }),
})
