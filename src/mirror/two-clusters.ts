import { Cluster, type ClusterAddress, type FramePool } from '../kafka/index.ts'
import { KmigError } from '../kit/index.ts'
import type { MirrorOptions } from './options.ts'
import { patienceOf, patiently } from './patience.ts'

/** What Kafka takes in a topic's name. */
const NAME = /^[\w.-]{1,200}$/

/** Opens both ends of a mirror. Throws USAGE (its name), UNREACHABLE, PREFLIGHT (both are one cluster). */
export const openBoth = async (
  options: MirrorOptions,
  { pool, opened }: { pool: FramePool; opened: AsyncDisposableStack },
): Promise<{ source: Cluster; target: Cluster }> => {
  const { from, to, name, signal } = options
  if (name !== undefined && !NAME.test(name)) {
    const what = `'${name}' can't be a mirror's name: its state topic is __kmig.<name>, so it has up to 200 letters, digits, '.', '_' and '-'`
    throw new KmigError('USAGE', what, { try: ['give another --name'] })
  }
  const open = async (end: ClusterAddress, more?: { pool: FramePool }) =>
    opened.use(
      await patiently(patienceOf(options, end.name), () => Cluster.open({ ...end, ...more, signal })),
    )
  const source = await open(from, { pool })
  const target = await open(to)
  if (source.clusterId === target.clusterId) {
    const what = `'${from.name}' and '${to.name}' are the same cluster, ${source.clusterId}`
    throw new KmigError('PREFLIGHT', what, { try: ['name two different clusters with --from and --to'] })
  }
  return { source, target }
}
