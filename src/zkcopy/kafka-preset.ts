import type { Change } from './change.ts'
import { pathFilter } from './filter.ts'
import { KEEP_NOTHING, keeping } from './keep.ts'
import type { ZkCopyOptions } from './options.ts'
import { newTally } from './tally.ts'
import { type WalkOptions, walk } from './walk.ts'

/** What a copy is of, where a name says it. `live`: brokers may still run on the source. */
export type Preset = { kind: 'kafka'; live: boolean }

/** Parents of notices: their children are old news, but listeners take only numbers higher than the last that they saw. */
const NOTICES = [
  '/config/changes',
  '/kafka-acl-changes',
  '/kafka-acl-extended-changes',
  '/delegation_token/token_changes',
  '/isr_change_notification',
  '/log_dir_event_notification',
]
/**
 * Never copied: as persistent znodes the first two would keep brokers from registering and a controller from being
 * elected; the third is of a move to KRaft.
 */
const NEVER = ['/brokers/ids/*', '/controller', '/migration', ...NOTICES.map(path => `${path}/*`)]
/** Whose dataVersion means something to brokers: a partition's epoch, the source of broker ids, the controller's fence. */
const VERSIONED = ['/brokers/topics/*/partitions/*/state', '/brokers/seqid', '/controller_epoch']

/** The options with what the preset adds. Layout: Kafka 3.6 to 3.9, kafka.zk.ZkData. */
export const withPreset = (options: ZkCopyOptions): ZkCopyOptions => {
  if (!options.preset) return options
  const { filter = pathFilter(), keep = KEEP_NOTHING } = options
  const kafka = keeping({ versions: VERSIONED, sequence: NOTICES, rules: [] })
  return {
    ...options,
    filter: pathFilter(filter.include, [...filter.exclude, ...NEVER]),
    keep: {
      versions: path => keep.versions(path) || kafka.versions(path),
      sequence: path => keep.sequence(path) || kafka.sequence(path),
      type: keep.type,
      name: `kafka ${keep.name}`,
    },
  }
}

/** What must be there first: a broker that starts before it makes an id of its own, and keeps it. */
const CLUSTER_ID = '/cluster/id'
const onlyClusterId = {
  include: [CLUSTER_ID],
  exclude: [],
  includes: (path: string) => path === CLUSTER_ID,
  excludes: (path: string) => path !== '/' && path !== '/cluster' && path !== CLUSTER_ID,
}

/** The same changes, but those of the cluster's id come before all others. */
export async function* clusterIdFirst(
  plan: WalkOptions,
  changes: AsyncIterable<readonly Change[]>,
): AsyncGenerator<readonly Change[], void> {
  const own = { start: { ...plan.start }, ancestors: [...plan.ancestors], tally: newTally() }
  const only = { filter: onlyClusterId, sinceMs: undefined, extras: undefined, counters: new Set<string>() }
  let first: Change[] = []
  for await (const some of walk({ ...plan, ...own, ...only, copiedBy: undefined })) first.push(...some)
  const paths = new Set(first.map(({ path }) => path))
  for await (const some of changes) {
    // not before the others are found: by then both sides are looked at
    if (first.length > 0) yield first
    first = []
    yield some.filter(({ path }) => !paths.has(path))
  }
  if (first.length > 0) yield first
}
