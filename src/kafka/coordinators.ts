import { inFlight } from '../kit/index.ts'
import type { AskOptions, Cluster } from './cluster.ts'
import { brokerError } from './errors.ts'
import { FindCoordinator } from './messages/index.ts'

/** Groups per request, and requests at a time where a broker takes one group each (before 3.0). */
const KEYS = 1_000
const DEPTH = 16

export type FoundCoordinator =
  | { kind: 'node'; nodeId: number }
  | { kind: 'error'; code: number; error: Error }

/** Who coordinates these groups: one request for a thousand of them where brokers can (KIP-699). */
export const findCoordinators = async (
  cluster: Pick<Cluster, 'any'>,
  groups: readonly string[],
  options: AskOptions,
): Promise<Map<string, FoundCoordinator>> => {
  const found = new Map<string, FoundCoordinator>()
  const ask = async (share: readonly string[]): Promise<number> => {
    const [first = ''] = share
    const answer = await cluster.any(FindCoordinator, { key: first, keyType: 0, keys: share }, options)
    const { coordinators } = answer
    const rows = coordinators.length > 0 ? coordinators : [{ ...answer, key: first }]
    for (const { key, nodeId, errorCode: code, errorMessage } of rows) {
      const error = () =>
        brokerError(code, `the coordinator of group '${key}'`, errorMessage, `Describe on group ${key}`)
      found.set(key, code === 0 ? { kind: 'node', nodeId } : { kind: 'error', code, error: error() })
    }
    return rows.length
  }
  for (let at = 0; at < groups.length; ) {
    const share = groups.slice(at, at + KEYS)
    at += await ask(share)
    if (found.size > 1 || at >= groups.length) continue
    const { signal = new AbortController().signal } = options
    for await (const _ of inFlight(groups.slice(at), DEPTH, group => ask([group]), signal));
    break
  }
  return found
}
