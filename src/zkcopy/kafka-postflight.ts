import { KafkaSide } from './kafka-side.ts'
import type { WalkOptions } from './walk.ts'

/** One thing that a Kafka on the copy needs, as both sides have it. */
export type PostflightRow = { check: string; source: string; target: string; ok: boolean }

/** Kinds of dynamic configs. */
const CONFIGS = ['topics', 'brokers', 'clients', 'users', 'ips'].map(kind => `/config/${kind}`)

/** Looks at the copy before any broker starts on it. Reads each side by itself. */
export const postflight = async ({ from, to }: WalkOptions): Promise<PostflightRow[]> => {
  const [here, there] = await Promise.all([facts(new KafkaSide(from)), facts(new KafkaSide(to))])
  const row = (check: string, of: (side: Facts) => string | number, ok?: boolean): PostflightRow => {
    const [source, target] = [String(of(here)), String(of(there))]
    return { check, source, target, ok: ok ?? source === target }
  }
  return [
    row('cluster id', side => side.clusterId),
    row('topics', side => side.topics),
    row('partitions', side => side.partitions),
    row('configs', side => side.configs),
    row('partitions whose leader is not in sync', side => side.faulty, there.faulty === 0),
    row('version of /brokers/seqid', side => side.seqid),
    row('controller epoch', side => side.epoch, there.epoch >= here.epoch),
  ]
}

type Facts = Awaited<ReturnType<typeof facts>>
const facts = async (side: KafkaSide) => {
  const topics = await side.names('/brokers/topics')
  const lists = await side.children(topics.map(topic => `/brokers/topics/${topic}/partitions`))
  const states = topics.flatMap((topic, i) =>
    (lists[i] ?? []).map(partition => `/brokers/topics/${topic}/partitions/${partition}/state`),
  )
  let faulty = 0
  for (let i = 0; i < states.length; i += 10_000) {
    for (const node of await side.nodes(states.slice(i, i + 10_000))) if (!inSync(node?.data)) faulty++
  }
  const configs = await side.children(CONFIGS)
  return {
    clusterId: (await side.clusterId()) ?? 'none',
    topics: topics.length,
    partitions: states.length,
    configs: configs.reduce((sum, names) => sum + (names?.length ?? 0), 0),
    faulty,
    seqid: (await side.node('/brokers/seqid'))?.stat.version ?? -1,
    epoch: Number((await side.text('/controller_epoch')) ?? -1),
  }
}

/** Without a leader (-1) is sound: the controller elects one of those in sync. */
const inSync = (state: Buffer | null | undefined): boolean => {
  try {
    const { leader, isr } = JSON.parse(String(state)) as { leader: number; isr: number[] }
    return isr.length > 0 && (leader === -1 || isr.includes(leader))
  } catch {
    return false
  }
}
