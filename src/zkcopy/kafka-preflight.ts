import { KmigError } from '../kit/index.ts'
import { joinPath } from '../zookeeper/index.ts'
import { field, KafkaSide } from './kafka-side.ts'
import type { ZkCopyOptions } from './options.ts'
import type { WalkOptions } from './walk.ts'

/** Work of a controller that is asked for and not done: it goes on where the copy starts. */
const PENDING = ['/admin/reassign_partitions', '/admin/preferred_replica_election']

/**
 * Looks whether a Kafka lives on the target, with the preset also whether the source's may be copied. Gives what the
 * operator should know. Throws ZK_LIVE_KAFKA, PREFLIGHT. Nothing is written.
 */
export const preflight = async (plan: WalkOptions, options: ZkCopyOptions): Promise<string[]> => {
  const [source, target] = [new KafkaSide(plan.from), new KafkaSide(plan.to)]
  if (!options.preset) {
    if (!options.check && !plan.filter.excludes('/brokers')) await refuseLiveTarget(source, target, plan)
    return []
  }
  const id = await source.clusterId()
  if (id === undefined) {
    throw new KmigError('PREFLIGHT', `--preset kafka: there is no Kafka at ${plan.from.root} of the source`, {
      try: ['end --from with the chroot of zookeeper.connect in server.properties'],
    })
  }
  await refuseMigration(source, `the source (${plan.from.reader.address})`)
  await refuseMigration(target, `the target (${plan.to.reader.address})`)
  if (!options.check) {
    const running = await source.names('/brokers/ids')
    if (running.length > 0 && !options.preset.live) throw live('source', running, plan)
    const there = await target.names('/brokers/ids')
    if (there.length > 0) throw live('target', there, plan)
    if (await target.node('/controller')) throw live('target', ['controller'], plan)
  }
  const other = await target.clusterId()
  if (other !== undefined && other !== id) {
    throw new KmigError('PREFLIGHT', `the target holds the Kafka cluster ${other}, the source is ${id}`, {
      try: ['copy to a chroot of its own, or remove what a broker that started too early made there'],
    })
  }
  return await pendingWork(source)
}

/** Only where the source is a Kafka too: else nothing of the target's is written over. */
const refuseLiveTarget = async (source: KafkaSide, target: KafkaSide, plan: WalkOptions): Promise<void> => {
  const running = await target.liveBrokers()
  if (running.length > 0 && (await source.node('/brokers'))) throw live('target', running, plan)
}

const live = (side: 'source' | 'target', ids: readonly string[], plan: WalkOptions): KmigError => {
  const { reader, root } = side === 'source' ? plan.from : plan.to
  const what = `${ids.length === 1 ? '' : `${ids.length}: `}${ids.slice(0, 20).join(', ')}`
  return new KmigError(
    'ZK_LIVE_KAFKA',
    `a Kafka cluster runs on the ${side}: registered at ${joinPath(root, '/brokers/ids')} (${reader.address}): ${what}`,
    {
      try:
        side === 'source'
          ? ['stop its brokers, and wait for their sessions to end', 'or copy the bulk ahead: --live']
          : ['copy to a chroot or an ensemble that no broker uses', 'or stop its brokers first'],
    },
  )
}

const refuseMigration = async (side: KafkaSide, where: string): Promise<void> => {
  const [migration, controller] = await side.nodes(['/migration', '/controller'])
  const epoch = Number(field(controller?.data?.toString() ?? '', 'kraftControllerEpoch') ?? -1)
  const persistent = controller !== undefined && !controller.stat.ephemeral
  if (!migration && !persistent && epoch < 0) return
  const found = migration ? '/migration' : persistent ? 'a persistent /controller' : 'a KRaft /controller'
  throw new KmigError('PREFLIGHT', `a migration to KRaft is under way on ${where}: there is ${found}`, {
    try: ['end it or take it back as the Kafka documentation says, then copy'],
  })
}

const pendingWork = async (source: KafkaSide): Promise<string[]> => {
  const deletions = await source.names('/admin/delete_topics')
  const nodes = await source.nodes(PENDING)
  return [
    ...(deletions.length > 0
      ? [`topics about to be deleted: ${deletions.slice(0, 20).join(', ')}; the copy goes on deleting them`]
      : []),
    ...PENDING.filter((_, i) => nodes[i]).map(path => `${path} is not done; the copy goes on with it`),
  ]
}
