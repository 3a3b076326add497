import type { CertificateInput } from '../certificate-input.ts'
import type { PlanDocument } from '../plan-document.ts'
import type { Certificate } from './shape.ts'

/** Nothing of the old cluster unexplained: topics, groups and settings, each with what became of it. */
export const coverageOf = ({ plan, leftBehind, groupsLeft }: CertificateInput): Certificate['coverage'] => [
  ...plan.topics.map(({ topic, partitions, action, reason }) => {
    const translated = partitions.filter(({ mode }) => mode === 'translated')
    const which = translated.map(({ partition, reason }) => `${partition}${reason ? ` (${reason})` : ''}`)
    return {
      ...{ kind: 'topic' as const, name: topic },
      what:
        action === 'refuse'
          ? ('refused' as const)
          : which.length > 0
            ? ('translated' as const)
            : ('copied' as const),
      why: which.length > 0 ? `other offsets on ${which.join(', ')}` : reason,
    }
  }),
  ...leftBehind.topics.map(name => ({
    ...{
      kind: 'topic' as const,
      name,
      what: 'refused' as const,
      why: 'not chosen: it stays on the old cluster',
    },
  })),
  ...plan.groups.map(({ group, moves, reason }) => {
    const left = groupsLeft.find(each => each.group === group)
    return {
      ...{ kind: 'group' as const, name: group },
      what: moves && !left ? ('copied' as const) : ('refused' as const),
      why: left?.why ?? reason,
    }
  }),
  ...leftBehind.groups
    .filter(({ group }) => !plan.groups.some(each => each.group === group))
    .map(({ group, why }) => ({ kind: 'group' as const, name: group, what: 'refused' as const, why })),
  ...plan.changes.map(({ cluster, name, prior, next, when }) => ({
    ...{ kind: 'setting' as const, name: `${name} (${cluster})`, what: 'changed' as const },
    why: `${prior ?? 'not set'} to ${next ?? 'not set'}, at ${when}`,
  })),
]

/** Whether offsets that are kept outside of Kafka (Flink, sinks of Connect, state of Streams) are still right. */
export const externalOf = ({ topics }: PlanDocument): Certificate['external'] =>
  topics.map(({ topic, partitions }) => {
    const moved = partitions.filter(({ mode }) => mode === 'translated').map(({ partition }) => partition)
    return {
      consumer: `whoever keeps offsets of ${topic} outside of Kafka`,
      valid: moved.length === 0,
      why:
        moved.length === 0
          ? 'every record has its own offset'
          : `partitions ${moved.join(', ')} have other offsets: kmig offsets translate tells them`,
    }
  })
