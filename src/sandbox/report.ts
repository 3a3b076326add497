import * as z from 'zod'
import type { ClusterStatus, Status, UpEvent } from './up.ts'

/** What `kmig sandbox` prints as JSON of the sandbox of a directory. */
export const statusSchema = z.strictObject({
  state: z.enum(['starting', 'up', 'ending']),
  pid: z.int().describe('the process that holds it'),
  directory: z.string().describe('configurations, data and logs'),
  config: z.string().describe('the kmig.yaml that names the clusters'),
  clusters: z.array(
    z.strictObject({
      name: z.string(),
      version: z.string(),
      bootstrap: z.string(),
      link: z.string().nullable().describe('bootstrap by way of the links'),
      zookeeper: z.string(),
      nodes: z.array(
        z.strictObject({
          id: z.int(),
          role: z.string(),
          host: z.string(),
          pid: z.int().nullable().describe('null: it does not run'),
          log: z.string(),
        }),
      ),
    }),
  ),
})

const clusterText = ({ name, version, bootstrap, link, zookeeper, nodes }: ClusterStatus): string[] => [
  `${name}  Kafka ${version}`,
  `  bootstrap  ${bootstrap}`,
  ...(link ? [`  link       ${link}`] : []),
  `  zookeeper  ${zookeeper}`,
  ...nodes.map(
    ({ id, role, pid, log }) => `  ${role} ${id}  ${pid === null ? 'ended' : `process ${pid}`}  ${log}`,
  ),
]

/** The same for people. */
export const statusText = ({ state, config, clusters }: Status): string =>
  [`the sandbox is ${state}; its clusters are in ${config}`, ...clusters.flatMap(clusterText)].join('\n')

/** What happens while it comes up, for people. */
export const eventText = (event: UpEvent): string => {
  switch (event.kind) {
    case 'fetching':
      return `fetching ${event.directory} through Maven; it is kept for the next time`
    case 'kept':
      return `logs and data are kept in ${event.directory}`
    case 'up':
      return `${statusText(event.status)}\nthey end with ^C, or by: kmig sandbox down`
    default:
      return event satisfies never
  }
}
