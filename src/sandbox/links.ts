import { PORTS } from './addresses.ts'
import { Link } from './link/link.ts'
import type { Node } from './node.ts'
import type { Plan } from './provider.ts'

/** One link before each node, by the node's id; none if the spec does not name them. */
export const openLinks = async (
  { spec, addresses }: Plan,
  nodes: readonly Node[],
): Promise<Map<number, Link>> => {
  if (!spec.listeners.includes('link')) return new Map()
  const opened = await Promise.allSettled(
    nodes.map(async ({ id, role, host }) => {
      const port = role === 'broker' ? PORTS.link : PORTS.zookeeper
      const listen = { host: addresses.linkHost(id), port }
      return [id, await Link.open({ listen, target: { host, port }, seed: id })] as const
    }),
  )
  const links = new Map(opened.flatMap(result => (result.status === 'fulfilled' ? [result.value] : [])))
  const failed = opened.find(result => result.status === 'rejected')
  if (!failed) return links
  for (const link of links.values()) await link[Symbol.asyncDispose]()
  throw failed.reason
}
