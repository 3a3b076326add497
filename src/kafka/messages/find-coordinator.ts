import {
  array,
  between,
  int8,
  int16,
  int32,
  nullableString,
  since,
  string,
  struct,
  until,
} from '../../wire/index.ts'
import { api } from '../api.ts'

/** The broker that keeps a group's offsets (key type 0) or a transactional id's state (1). One key up to v3, many from v4. */
export const FindCoordinator = api({
  name: 'FindCoordinator',
  key: 10,
  versions: [0, 4],
  flexibleFrom: 3,
  request: struct({
    key: until(3, string, ''),
    keyType: since(1, int8, 0),
    keys: since(4, array(string), []),
  }),
  response: struct({
    throttleTimeMs: since(1, int32, 0),
    errorCode: until(3, int16, 0),
    errorMessage: between(1, 3, nullableString, null),
    nodeId: until(3, int32, -1),
    host: until(3, string, ''),
    port: until(3, int32, -1),
    coordinators: since(
      4,
      array(
        struct({
          key: string,
          nodeId: int32,
          host: string,
          port: int32,
          errorCode: int16,
          errorMessage: nullableString,
        }),
      ),
      [],
    ),
  }),
})
