import { createHash } from 'node:crypto'
import { type Cluster, describeTopicConfigs, listAcls, listGroups } from '../kafka/index.ts'
import { chooser, type During, isKmigError } from '../kit/index.ts'
import { topicChooser } from '../mirror/index.ts'
import { canonical } from './canonical.ts'

/** What a plan rests on, of the old cluster: small enough to be kept, and to be looked at again. */
export type Seen = {
  topics: Readonly<Record<string, { id: string; partitions: number; configs: string }>>
  groups: readonly string[]
  /** Hash of all ACLs; null where the cluster has no authorizer, or does not show them. */
  acls: string | null
}

export type SeenOptions = During & {
  topics?: readonly string[] | undefined
  exclude?: readonly string[] | undefined
  groups?: readonly string[] | undefined
}

export const sha256Of = (value: unknown): string =>
  createHash('sha256').update(canonical(value)).digest('hex')

/** Groups by which kmig's own processes share a mirror. */
const OWN = '__kmig.'

/** Looks only. */
export const lookAt = async (
  source: Cluster,
  { topics, exclude, groups, signal }: SeenOptions,
): Promise<Seen> => {
  const mirrored = topicChooser({ topics, exclude })
  const [all, found, acls] = await Promise.all([
    source.metadata('all', { signal }),
    listGroups(source, { signal }),
    listAcls(source, { signal }).catch(e => {
      if (isKmigError(e, 'AUTHORIZATION', 'UNSUPPORTED')) return undefined
      throw e
    }),
  ])
  const mine = all.filter(({ name, error }) => error === 0 && mirrored(name))
  const names = mine.map(({ name }) => name)
  const configs = names.length > 0 ? await describeTopicConfigs(source, names, { signal }) : new Map()
  const chosen = chooser(groups)
  return {
    topics: Object.fromEntries(
      mine.map(({ name, topicId, partitions }) => {
        const own = (configs.get(name) ?? [])
          .filter(({ source: from }: { source: string }) => from === 'dynamic-topic')
          .map(({ name, value }: { name: string; value: string | null }) => [name, value] as const)
        return [name, { id: topicId, partitions: partitions.length, configs: sha256Of(own.sort()) }]
      }),
    ),
    groups: found
      .flatMap(({ groupId }) => (chosen(groupId) && !groupId.startsWith(OWN) ? [groupId] : []))
      .sort(),
    acls: acls ? sha256Of(acls.map(acl => canonical(acl)).sort()) : null,
  }
}

/** What is no longer as it was, one line each. Behind a fence that stands settings and ACLs
 * are what the fence made them. A group that is gone is none: what it had committed has moved, or never will. */
export const differenceOf = (then: Seen, now: Seen, { fenced }: { fenced: boolean }): string[] => [
  ...Object.entries(then.topics).flatMap(([name, before]) => {
    const after = now.topics[name]
    if (!after) return [`topic ${name} is gone`]
    if (after.id !== before.id) return [`topic ${name} was deleted and made again`]
    return [
      ...(after.partitions === before.partitions
        ? []
        : [`topic ${name} has ${after.partitions} partitions, it had ${before.partitions}`]),
      ...(fenced || after.configs === before.configs ? [] : [`settings of topic ${name} changed`]),
    ]
  }),
  ...Object.keys(now.topics)
    .filter(name => !(name in then.topics))
    .map(name => `topic ${name} is new`),
  ...now.groups.filter(group => !then.groups.includes(group)).map(group => `group ${group} is new`),
  ...(fenced || then.acls === now.acls ? [] : ['ACLs of the old cluster changed']),
]
