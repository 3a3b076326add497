import type { AskOptions, Cluster } from './cluster.ts'
import { brokerError } from './errors.ts'
import { CreateAcls, DeleteAcls, DescribeAcls } from './messages/index.ts'

/** Words for codes of the protocol; a code that has none is kept as '#<code>'. */
const words = <Word extends string>(rows: readonly (Word | undefined)[]) => ({
  of: (code: number): Word | `#${number}` => rows[code] ?? `#${code}`,
  code: (word: string): number => (word.startsWith('#') ? Number(word.slice(1)) : rows.indexOf(word as Word)),
})

/** Source: org.apache.kafka.common.resource.ResourceType. */
const RESOURCES = [
  ...[undefined, undefined, 'topic', 'group', 'cluster', 'transactional-id', 'delegation-token', 'user'],
] as const
/** Source: org.apache.kafka.common.resource.PatternType. */
const PATTERNS = [undefined, undefined, undefined, 'literal', 'prefixed'] as const
/** Source: org.apache.kafka.common.acl.AclOperation. */
export const OPERATIONS = [
  ...[
    undefined,
    undefined,
    'all',
    'read',
    'write',
    'create',
    'delete',
    'alter',
    'describe',
    'cluster-action',
  ],
  ...['describe-configs', 'alter-configs', 'idempotent-write', 'create-tokens', 'describe-tokens'],
  'two-phase-commit',
] as const
/** Source: org.apache.kafka.common.acl.AclPermissionType. */
const PERMISSIONS = [undefined, undefined, 'deny', 'allow'] as const

const resource = words<string>(RESOURCES)
const pattern = words<string>(PATTERNS)
const operation = words<string>(OPERATIONS)
const permission = words<string>(PERMISSIONS)

/** Who may do what on which resources. Words are Kafka's own, in lower case; '#<code>' is one that kmig does not know. */
export type Acl = {
  /** 'topic', 'group', 'cluster', 'transactional-id', 'delegation-token', 'user'. */
  resource: string
  /** 'literal' (name '*' stands for all) or 'prefixed'. */
  pattern: string
  name: string
  principal: string
  host: string
  /** 'all', 'read', 'write', ... */
  operation: string
  /** 'allow' or 'deny'. */
  permission: string
}

const ANY = 1
const SECURITY_DISABLED = 54

const ALL = {
  resourceType: ANY,
  name: null,
  patternType: ANY,
  principal: null,
  host: null,
  operation: ANY,
  permission: ANY,
}

/**
 * All ACLs of a cluster, as one broker (default any) knows them; undefined if it has no authorizer. Throws AUTHORIZATION
 * without Describe on the cluster.
 */
export const listAcls = async (
  cluster: Cluster,
  { nodeId, ...options }: AskOptions & { nodeId?: number | undefined } = {},
): Promise<Acl[] | undefined> => {
  const answer =
    nodeId === undefined
      ? await cluster.any(DescribeAcls, ALL, options)
      : await cluster.broker(nodeId, DescribeAcls, ALL, options)
  if (answer.errorCode === SECURITY_DISABLED) return undefined
  if (answer.errorCode !== 0) throw brokerError(answer.errorCode, 'ACLs', answer.errorMessage)
  return answer.resources.flatMap(({ resourceType, name, patternType, acls }) =>
    acls.map(acl => ({
      resource: resource.of(resourceType),
      pattern: pattern.of(patternType),
      name,
      principal: acl.principal,
      host: acl.host,
      operation: operation.of(acl.operation),
      permission: permission.of(acl.permission),
    })),
  )
}

const coded = ({ name, principal, host, ...acl }: Acl) => ({
  resourceType: resource.code(acl.resource),
  name,
  patternType: pattern.code(acl.pattern),
  principal,
  host,
  operation: operation.code(acl.operation),
  permission: permission.code(acl.permission),
})

/** ACLs per request. */
const AT_ONCE = 500

/** Makes ACLs, each of which may be there already. What can't be made is told, with the broker's own words. */
export const createAcls = async (
  cluster: Cluster,
  acls: readonly Acl[],
  { refused, ...options }: AskOptions & { refused: (acl: Acl, error: Error) => void },
): Promise<void> => {
  for (let at = 0; at < acls.length; at += AT_ONCE) {
    const share = acls.slice(at, at + AT_ONCE)
    const { results } = await cluster.any(CreateAcls, { creations: share.map(coded) }, options)
    for (const [i, acl] of share.entries()) {
      const { errorCode = -1, errorMessage = null } = results[i] ?? {}
      if (errorCode !== 0) refused(acl, brokerError(errorCode, 'making an ACL', errorMessage))
    }
  }
}

/** Deletes exactly these ACLs; those that are gone already are no error. Throws AUTHORIZATION, BROKER. */
export const deleteAcls = async (
  cluster: Cluster,
  acls: readonly Acl[],
  options: AskOptions = {},
): Promise<void> => {
  for (let at = 0; at < acls.length; at += AT_ONCE) {
    const filters = acls.slice(at, at + AT_ONCE).map(coded)
    const { results } = await cluster.any(DeleteAcls, { filters }, options)
    for (const { errorCode, errorMessage, matches } of results) {
      const failed = [{ errorCode, errorMessage }, ...matches].find(each => each.errorCode !== 0)
      if (failed) throw brokerError(failed.errorCode, 'deleting ACLs', failed.errorMessage)
    }
  }
}
