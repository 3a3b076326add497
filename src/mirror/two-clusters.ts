import { Cluster, type FramePool } from '../kafka/index.ts'
import { KmigError } from '../kit/index.ts'
import type { MirrorOptions } from './options.ts'

/** What Kafka takes in a topic's name. */
const NAME = /^[\w.-]{1,200}$/

/** Opens both ends of a mirror. Throws USAGE (its name), UNREACHABLE, PREFLIGHT (both are one cluster). */
export const openBoth = async (
  { from, to, name, signal }: MirrorOptions,
  { pool, opened }: { pool: FramePool; opened: AsyncDisposableStack },
): Promise<{ source: Cluster; target: Cluster }> => {
  if (name !== undefined && !NAME.test(name)) {
    const what = `'${name}' can't be a mirror's name: its state topic is __kmig.<name>, so it has up to 200 letters, digits, '.', '_' and '-'`
    throw new KmigError('USAGE', what, { try: ['give another --name'] })
  }
  const source = opened.use(await Cluster.open({ ...from, signal, pool }))
  const target = opened.use(await Cluster.open({ ...to, signal }))
  if (source.clusterId === target.clusterId) {
    const what = `'${from.name}' and '${to.name}' are the same cluster, ${source.clusterId}`
    throw new KmigError('PREFLIGHT', what, { try: ['name two different clusters with --from and --to'] })
  }
  return { source, target }
}
