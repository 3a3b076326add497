import * as z from 'zod'
import { alterTopicConfigs, brokerVersions, describeTopicConfigs, isAtLeast } from '../../kafka/index.ts'
import { isKmigError, KmigError, plural } from '../../kit/index.ts'
import type { FenceDriver, FencePlan, FenceProblem } from '../fence-port.ts'
import type { FenceOptions } from './options.ts'

const SETTING = 'min.insync.replicas'
/** More replicas than any topic has. */
const TOO_MANY = '32767'
/** From this version on the number that counts is no larger than that of the replicas. */
const CAPPED = '3.7'

/** The topics' own values before; null where they had the default. */
const prior = z.object({ values: z.record(z.string(), z.string().nullable()) })

/**
 * Asks for more replicas in sync than there are, so that nothing sent with acks=all is taken: NOT_ENOUGH_REPLICAS, which
 * producers try again. Holds only where every broker is older than 3.7. Source: CUTOVER.md 4.
 */
export const minIsr = (options: FenceOptions): FenceDriver => {
  const { side, topics, cluster, signal } = options
  return {
    name: 'min-isr',
    releases: true,
    seals: false, // the copy back writes with acks=all itself
    probe: () => probe(options),
    plan: async () => {
      const found = await describeTopicConfigs(cluster, topics, { signal })
      const values = Object.fromEntries(
        topics.map(topic => {
          const own = found.get(topic)?.find(({ name }) => name === SETTING)
          // what a fence that was left engaged has set is no prior value
          const set = own?.source === 'dynamic-topic' && own.value !== TOO_MANY
          return [topic, set ? own.value : null]
        }),
      )
      const actions = topics.map(topic => {
        const before = values[topic] ?? null
        const inverse = before === null ? `unset ${SETTING} of ${topic}` : `set it to ${before} on ${topic}`
        return { effect: `set ${SETTING} to ${TOO_MANY} on topic ${topic}`, inverse }
      })
      return { driver: 'min-isr', side, topics, actions, prior: { values } }
    },
    engage: async plan => {
      const [problem] = (await probe(options)).filter(({ severity }) => severity === 'error')
      if (problem) throw new KmigError('FENCE', problem.what, { try: [problem.fix] })
      for (const topic of Object.keys(valuesOf(plan)))
        await alterTopicConfigs(cluster, topic, { set: { [SETTING]: TOO_MANY } }, { signal })
      const found = await describeTopicConfigs(cluster, topics, { signal })
      const missing = topics.filter(
        topic => found.get(topic)?.find(({ name }) => name === SETTING)?.value !== TOO_MANY,
      )
      if (missing.length > 0)
        throw new KmigError('FENCE', `${SETTING} did not change on ${missing.slice(0, 5).join(', ')}`)
      return {
        evidence: [`${SETTING}=${TOO_MANY} on ${plural(topics.length, 'topic')}: acks=all is refused`],
      }
    },
    release: async plan => {
      for (const [topic, value] of Object.entries(valuesOf(plan))) {
        const change = value === null ? { delete: [SETTING] } : { set: { [SETTING]: value } }
        try {
          await alterTopicConfigs(cluster, topic, change, { signal })
        } catch (e) {
          if (!isKmigError(e, 'TOPIC_MISSING')) throw e // one that is gone has nothing to release
        }
      }
    },
  }
}

const valuesOf = (plan: FencePlan): Record<string, string | null> => {
  const read = prior.safeParse(plan.prior)
  if (read.success) return read.data.values
  const what = `the journaled plan of the fence does not say what ${SETTING} was`
  throw new KmigError('STATE_DAMAGED', what, { try: [`set ${SETTING} of these topics back by hand`] })
}

const probe = async ({ cluster, side, signal }: FenceOptions): Promise<FenceProblem[]> => {
  const versions = await brokerVersions(cluster, { signal })
  const newer = [...versions].filter(([, version]) => isAtLeast(version, CAPPED))
  if (newer.length > 0) {
    const named = newer.map(([nodeId, version]) => `${nodeId} (${version} or newer)`).join(', ')
    return [
      {
        severity: 'error',
        what: `min-isr keeps nobody off the ${side} cluster: brokers from ${CAPPED} on take ${SETTING} for no more than the replicas that there are; broker ${named}`,
        fix: '--fence hook',
      },
    ]
  }
  return [
    {
      severity: 'warning',
      what: 'min-isr stops only writers with acks=all; those with acks 0 or 1 go on, and the proof finds them',
      fix: '--fence hook for those',
    },
    {
      severity: 'warning',
      what: 'the ends of transactions are written with acks=all too: one that is open can not end while min-isr is engaged',
      fix: 'end transactional writers before',
    },
  ]
}
