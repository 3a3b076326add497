import type { AskOptions, Cluster } from './cluster.ts'
import { brokerError } from './errors.ts'
import { DescribeUserScramCredentials } from './messages/index.ts'

export type ScramUser = { user: string; credentials: { mechanism: string; iterations: number }[] }

/** Source: org.apache.kafka.clients.admin.ScramMechanism. */
const MECHANISMS: Readonly<Record<number, string>> = { 1: 'SCRAM-SHA-256', 2: 'SCRAM-SHA-512' }

/** Users with SCRAM credentials; no API gives what they hold. Throws AUTHORIZATION, UNSUPPORTED before 2.7. */
export const listScramUsers = async (cluster: Cluster, options: AskOptions = {}): Promise<ScramUser[]> => {
  // No users stand for all, as null does; but to a null that it must refuse 3.9 never answers (it fails on the null).
  const answer = await cluster.any(DescribeUserScramCredentials, { users: [] }, options)
  if (answer.errorCode !== 0) throw brokerError(answer.errorCode, 'SCRAM users', answer.errorMessage)
  return answer.results.map(({ user, credentials }) => ({
    user,
    credentials: credentials.map(({ mechanism, iterations }) => {
      return { mechanism: MECHANISMS[mechanism] ?? `mechanism ${mechanism}`, iterations }
    }),
  }))
}
