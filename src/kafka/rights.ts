import { OPERATIONS } from './acls.ts'
import type { AskOptions, Cluster } from './cluster.ts'
import { Metadata } from './messages/index.ts'

/** Operations that kmig's own user may do, in the words of `Acl`. undefined: the broker does not tell (before 2.3). */
export type Rights = ReadonlySet<string> | undefined

const UNTOLD = -2_147_483_648
const rightsIn = (bits: number): Rights =>
  bits === UNTOLD
    ? undefined
    : new Set(OPERATIONS.flatMap((word, code) => (word !== undefined && bits & (1 << code) ? [word] : [])))

/** Versions of Metadata that tell of the cluster: later ones leave that to DescribeCluster. */
const TELLS_OF_CLUSTER = 10

/**
 * What kmig's user may do on the cluster and on topics, as one broker sees it: where there is no authorizer all.
 * A topic that it may not Describe is left out.
 */
export const rightsOf = async (
  cluster: Cluster,
  topics: readonly string[],
  { nodeId, timeoutMs = 30_000, signal, ...more }: AskOptions & { nodeId?: number | undefined } = {},
): Promise<{ cluster: Rights; topics: Map<string, Rights> }> =>
  await cluster.retrying({ timeoutMs, signal, ...more }, async () => {
    const at = nodeId ?? [...cluster.brokers.keys()][0] ?? cluster.controllerId
    const connection = await cluster.connection(at, 'control', signal)
    const version = Math.min(TELLS_OF_CLUSTER, connection.supports(Metadata) ?? TELLS_OF_CLUSTER)
    const request = {
      topics: topics.map(name => ({ name })),
      includeClusterAuthorizedOperations: true,
      includeTopicAuthorizedOperations: true,
    }
    const answer = await connection.send(Metadata, request, { timeoutMs, signal, version })
    const found = answer.topics.filter(({ errorCode }) => errorCode === 0)
    return {
      cluster: rightsIn(answer.authorizedOperations),
      topics: new Map(
        found.map(({ name, authorizedOperations }) => [name ?? '', rightsIn(authorizedOperations)]),
      ),
    }
  })
