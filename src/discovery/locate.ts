import { type HostPort, KmigError, parseBootstrap } from '../kit/index.ts'
import { readDirectory } from './directory.ts'
import type { Entry } from './parse.ts'

export type LocateOptions<C> = {
  root: string
  /** The clusters that a client may find there, by the addresses that the files give. */
  clusters: readonly C[]
  /** Which of the entries that name one of them, where several files do: clients of many kinds read many files. */
  turn?: number
}

/**
 * What a client does when it starts: reads the brokers of its cluster from a discovery file. Throws DISCOVERY_NO_MATCH,
 * DISCOVERY_EMPTY.
 */
export const locateCluster = async <C extends { readonly bootstrap: readonly HostPort[] }>({
  root,
  clusters,
  turn = 0,
}: LocateOptions<C>): Promise<{ cluster: C; bootstrap: HostPort[] }> => {
  const { files } = await readDirectory(root)
  const found = files.flatMap(({ entries }) =>
    entries.flatMap(entry => {
      const bootstrap = brokersOf(entry)
      const cluster = clusters.find(each =>
        each.bootstrap.some(one => bootstrap.some(other => same(one, other))),
      )
      return cluster ? [{ cluster, bootstrap }] : []
    }),
  )
  const chosen = found[turn % Math.max(1, found.length)]
  if (chosen) return chosen
  throw new KmigError('DISCOVERY_NO_MATCH', `no discovery file of ${root} names one of the clusters`, {
    try: ['name the clusters by the addresses that stand in the files'],
  })
}

const same = (a: HostPort, b: HostPort): boolean => a.host === b.host && a.port === b.port
const brokersOf = ({ brokers }: Entry): HostPort[] =>
  brokers.length > 0 ? parseBootstrap(brokers.join(',')) : []
