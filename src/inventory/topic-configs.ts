import { fitting, noLimits, type SettingLimits } from './setting-limits.ts'

/** One setting of a topic, with where its value comes from. Source: DescribeConfigs. */
export type TopicConfig = { name: string; value: string | null; source: string }

export type ConfigPlan = {
  /** What the copy has in the end: the source's own settings, as far as the target knows them. */
  final: Record<string, string>
  /** What it has while it is mirrored; these win over `final`. */
  held: Record<string, string>
  /** Settings of the source that can't be kept, or not as they are. */
  refused: { name: string; value: string; why: string }[]
}

const FOREVER = '9223372036854775807'
/** Kafka's default limit of a batch; merged batches stay below it. Kafka: message.max.bytes. */
const DEFAULT_MAX_MESSAGE_BYTES = 1_048_588

/**
 * While a topic is mirrored nothing may be deleted, compacted, recompressed or refused for its age on the target: the
 * copy would no longer be one. Source: MIRROR.md 8, KIP-937 (timestamp limits).
 */
const HELD: Readonly<Record<string, string>> = {
  'cleanup.policy': 'delete',
  'retention.ms': '-1',
  'retention.bytes': '-1',
  'compression.type': 'producer',
  'message.timestamp.type': 'CreateTime',
  'message.timestamp.difference.max.ms': FOREVER,
  'message.timestamp.before.max.ms': FOREVER,
  'message.timestamp.after.max.ms': FOREVER,
}

export type ConfigPlanOptions = {
  source: readonly TopicConfig[]
  /** A topic of the target with default settings, and so which settings the target knows. */
  defaults: readonly TopicConfig[]
  replicationFactor: number
  /** False: the copy gets none of the source's own settings, see `--sync`. Default true. */
  copied?: boolean | undefined
  /** Values that the target was seen to refuse. */
  limits?: SettingLimits | undefined
}

/** Which settings a topic's copy gets, now and in the end. */
export const planConfigs = ({
  source,
  defaults,
  replicationFactor,
  copied = true,
  limits = noLimits(),
}: ConfigPlanOptions): ConfigPlan => {
  const known = new Map(defaults.map(({ name, value }) => [name, value]))
  const final: Record<string, string> = {}
  const refused: ConfigPlan['refused'] = []
  for (const { name, value, source: from } of source) {
    if (from !== 'dynamic-topic' || value === null) continue
    if (!copied) refused.push({ name, value, why: 'by --sync, which does not name configs' })
    else if (!known.has(name)) refused.push({ name, value, why: 'the target does not know this setting' })
    else {
      const other = fitting(limits, name, value)
      if (other) refused.push({ name, value, why: other.why })
      const given = other ? other.value : value
      if (given !== undefined) final[name] = given
    }
  }
  const minInSync = Number(final['min.insync.replicas'] ?? 1)
  if (minInSync > replicationFactor) {
    const why = `the copy has ${replicationFactor} replicas, so it gets ${replicationFactor}`
    refused.push({ name: 'min.insync.replicas', value: String(minInSync), why })
    final['min.insync.replicas'] = String(replicationFactor)
  }
  const limit = Number(source.find(({ name }) => name === 'max.message.bytes')?.value ?? 0)
  if (limit > Number(known.get('max.message.bytes') ?? limit)) final['max.message.bytes'] = String(limit)
  const held = Object.fromEntries(Object.entries(HELD).filter(([name]) => known.has(name)))
  if (known.has('max.message.bytes'))
    held['max.message.bytes'] = String(Math.max(limit, DEFAULT_MAX_MESSAGE_BYTES))
  return { final, held, refused }
}

/** The change that ends the holding: the source's own settings, and the target's defaults elsewhere. */
export const releaseOf = ({
  final,
  held,
}: Pick<ConfigPlan, 'final' | 'held'>): { set: Record<string, string>; delete: string[] } => ({
  set: final,
  delete: Object.keys(held).filter(name => !(name in final)),
})
