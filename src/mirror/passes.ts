import { isRetriable, kafkaErrorOf } from '../kafka/index.ts'
import { isKmigError } from '../kit/index.ts'

/** Whether trying again later can help. */
export const passes = (e: unknown): boolean => {
  const row = kafkaErrorOf(e)
  return row ? isRetriable(row.code) : isKmigError(e, 'UNREACHABLE', 'DISCONNECTED', 'TIMEOUT')
}
