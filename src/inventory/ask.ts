import { isKmigError } from '../kit/index.ts'
import type { Found } from './entry.ts'

export type AskedFor = {
  /** What kmig's user must be allowed, for the operator: 'Describe on the cluster'. */
  right: string
  /** 'old' or 'new', as the operator calls it. */
  cluster: string
  /** What it means that the cluster has no such thing at all. */
  none?: string
}

/** What to do about a refusal, if it is one. */
export const remedy = (error: unknown, { right, cluster }: AskedFor): string => {
  const text = error instanceof Error ? error.message : String(error)
  return isKmigError(error, 'AUTHORIZATION') ? `${text}; allow kmig's user ${right} on '${cluster}'` : text
}

/** Asks a cluster; what it refuses or is too old for is an answer too. Throws what may pass: UNREACHABLE, TIMEOUT, ... */
export const ask = async <T>(
  question: () => Promise<readonly T[] | undefined>,
  asked: AskedFor,
): Promise<Found<T>> => {
  try {
    const items = await question()
    return items ? { kind: 'found', items } : { kind: 'none', why: asked.none ?? 'there are none' }
  } catch (e) {
    if (!isKmigError(e, 'AUTHORIZATION', 'UNSUPPORTED', 'BROKER')) throw e
    return { kind: 'unknown', why: remedy(e, asked) }
  }
}
