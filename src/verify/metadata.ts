import { limitsSeenIn, planConfigs } from '../inventory/index.ts'
import type { ConfigEntry } from '../kafka/index.ts'
import type { KnownMirror } from './known-mirror.ts'
import type { TopicScope } from './scope.ts'

/** A setting: equal ones are not listed. */
export type SettingFinding = {
  name: string
  source: string | null
  target: string | null
  /** `held`: another one while the topic is mirrored, put right at the cutover: no difference. */
  outcome: 'differs' | 'held' | 'unknown-to-target'
}
export type TopicReport = {
  topic: string
  /** Whether the target has it. */
  there: boolean
  partitions: { source: number; target: number }
  settings: SettingFinding[]
  equal: boolean
}

const own = (configs: readonly ConfigEntry[]): Map<string, string | null> =>
  new Map(configs.filter(({ source }) => source === 'dynamic-topic').map(({ name, value }) => [name, value]))
const effective = (configs: readonly ConfigEntry[], name: string): string | null | undefined =>
  configs.find(each => each.name === name)?.value

/** Topics, their partition counts and settings. Replicas may be fewer on a smaller cluster: they are not compared. */
export const topicReport = (scope: TopicScope, mirror: KnownMirror | undefined): TopicReport => {
  const { topic, source, target, configs } = scope
  const mirrored = mirror !== undefined && !mirror.cutOver && mirror.state.topic(topic) !== undefined
  const settings = target ? settingsOf(configs, target.partitions[0]?.replicas.length ?? 1, mirrored) : []
  const partitions = { source: source.partitions.length, target: target?.partitions.length ?? 0 }
  const equal =
    partitions.source === partitions.target && settings.every(({ outcome }) => outcome !== 'differs')
  return { topic, there: target !== undefined, partitions, settings, equal }
}

const settingsOf = (
  { source, target }: TopicScope['configs'],
  replicationFactor: number,
  mirrored: boolean,
): SettingFinding[] => {
  const { final, held, refused } = planConfigs({
    source,
    defaults: target,
    replicationFactor,
    limits: limitsSeenIn(target),
  })
  const now = own(target)
  const wanted = new Map<string, string | null>(Object.entries(final))
  const findings: SettingFinding[] = []
  for (const name of [...new Set([...wanted.keys(), ...now.keys()])].sort()) {
    const value = now.has(name) ? (now.get(name) ?? null) : (effective(target, name) ?? null)
    const right = wanted.has(name) ? (wanted.get(name) ?? null) : (effective(source, name) ?? null)
    if (value === right) continue
    const holds =
      mirrored && held[name] !== undefined && (value === held[name] || atLeast(name, value, held[name]))
    findings.push({ name, source: right, target: value, outcome: holds ? 'held' : 'differs' })
  }
  for (const { name, value, why } of refused) {
    if (/does not know/.test(why))
      findings.push({ name, source: value, target: null, outcome: 'unknown-to-target' })
  }
  return findings
}

/** The mirror raises the limit of a batch with the largest one that it has seen. */
const atLeast = (name: string, value: string | null, held: string): boolean =>
  name === 'max.message.bytes' && Number(value) >= Number(held)
