import { backoffMs, isKmigError, sleep } from '../kit/index.ts'
import type { AskOptions, Cluster } from './cluster.ts'
import type { Connection } from './connection.ts'
import { brokerError, isRetriable, kafkaErrorOf } from './errors.ts'

export type GroupAnswer<T> = { groupId: string; errorCode: number; value: T }
export type GroupOutcome<T> = { kind: 'ok'; value: T } | { kind: 'error'; code: number; error: Error }

const NETWORK_EXCEPTION = 13

/**
 * Asks the coordinators of many groups, all at once and up to `size` groups per request, and asks again for those whose
 * error can pass, with their coordinators looked up anew, until `withinMs` is over. One outcome per group.
 */
export const byCoordinator = async <T>(
  cluster: Cluster,
  groups: readonly string[],
  options: AskOptions,
  work: {
    /** For errors: what is asked. */
    what: string
    size: number
    send: (to: Connection, groups: readonly string[]) => Promise<readonly GroupAnswer<T>[]>
  },
): Promise<Map<string, GroupOutcome<T>>> => {
  const { signal, timeoutMs, withinMs = 60_000 } = options
  const end = performance.now() + withinMs
  const outcomes = new Map<string, GroupOutcome<T>>()
  let left = [...new Set(groups)]
  for (let attempt = 0; left.length > 0; attempt++) {
    signal?.throwIfAborted()
    const homes = await cluster.coordinatorsOf(left, {
      timeoutMs,
      signal,
      withinMs: Math.max(1, end - performance.now()),
    })
    const shares = new Map<number, string[]>()
    for (const group of left) {
      const home = homes.get(group)
      if (home?.kind === 'node') shares.set(home.nodeId, [...(shares.get(home.nodeId) ?? []), group])
      else if (home) outcomes.set(group, home)
    }
    const asks = [...shares].flatMap(([nodeId, share]) => {
      const chunks = Math.ceil(share.length / work.size)
      return Array.from({ length: chunks }, (_, i) =>
        askOne(cluster, nodeId, share.slice(i * work.size, (i + 1) * work.size), signal, work),
      )
    })
    for (const each of await Promise.all(asks)) for (const [group, o] of each) outcomes.set(group, o)
    signal?.throwIfAborted()
    left = left.filter(group => {
      const outcome = outcomes.get(group)
      return outcome?.kind === 'error' && isRetriable(outcome.code)
    })
    const pause = backoffMs(attempt)
    if (left.length === 0 || cluster.closed || performance.now() + pause > end) break
    cluster.forgetCoordinators(left)
    await sleep(pause, signal)
  }
  return outcomes
}

const askOne = async <T>(
  cluster: Cluster,
  nodeId: number,
  groups: readonly string[],
  signal: AbortSignal | undefined,
  {
    what,
    send,
  }: {
    what: string
    send: (to: Connection, groups: readonly string[]) => Promise<readonly GroupAnswer<T>[]>
  },
): Promise<Map<string, GroupOutcome<T>>> => {
  const failed = (code: number, error: Error): GroupOutcome<T> => ({ kind: 'error', code, error })
  try {
    const answers = await send(await cluster.connection(nodeId, 'control', signal), groups)
    const unanswered = failed(-1, brokerError(-1, `${what}: broker ${nodeId} left a group out`))
    const found = new Map(groups.map((group): [string, GroupOutcome<T>] => [group, unanswered]))
    for (const { groupId, errorCode, value } of answers) {
      const error = () =>
        brokerError(errorCode, `${what} of group '${groupId}'`, null, `Describe on group ${groupId}`)
      found.set(groupId, errorCode === 0 ? { kind: 'ok', value } : failed(errorCode, error()))
    }
    return found
  } catch (e) {
    const error = e instanceof Error ? e : new Error(String(e))
    const passes = isKmigError(e, 'UNREACHABLE', 'DISCONNECTED', 'TIMEOUT')
    const code = passes ? NETWORK_EXCEPTION : (kafkaErrorOf(e)?.code ?? -2)
    return new Map(groups.map(group => [group, failed(code, error)]))
  }
}
