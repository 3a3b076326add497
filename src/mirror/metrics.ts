import type { Cluster } from '../kafka/index.ts'
import { formatHostPort, type HostPort, KmigError } from '../kit/index.ts'
import type { MirrorProgress } from './events.ts'
import type { Lane } from './lane.ts'
import { lagOf, type Meter } from './progress.ts'

const escaped = (text: string): string =>
  text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')

type Row = [labels: Record<string, string>, value: number | bigint]
const metric = (name: string, type: 'gauge' | 'counter', help: string, rows: readonly Row[]): string =>
  [
    `# HELP kmig_mirror_${name} ${help}`,
    `# TYPE kmig_mirror_${name} ${type}`,
    ...rows.map(([labels, value]) => {
      const inside = Object.entries(labels).map(([key, text]) => `${key}="${escaped(text)}"`)
      return `kmig_mirror_${name}${inside.length > 0 ? `{${inside.join(',')}}` : ''} ${value}`
    }),
  ].join('\n')

export type MetricsState = {
  name: string
  lanes: readonly Lane[]
  progress: MirrorProgress
  refused: number
  /** Requests sent so far, by cluster and kind. */
  requests: ReadonlyMap<string, number>
}

/** Where a mirror stands, for Prometheus. Per topic, as partitions are many. Source: the exposition format 0.0.4. */
export const metricsText = ({ name, lanes, progress, refused, requests }: MetricsState): string => {
  const topics = [...Map.groupBy(lanes, lane => lane.topic)]
  const perTopic = (of: (lane: Lane) => bigint | number): Row[] =>
    topics.map(([topic, share]) => [
      { mirror: name, topic },
      share.reduce((sum, lane) => sum + BigInt(of(lane)), 0n),
    ])
  const all = (value: number | bigint): Row[] => [[{ mirror: name }, value]]
  return `${[
    metric(
      'records_total',
      'counter',
      'Records copied since the start.',
      perTopic(lane => lane.counts.records),
    ),
    metric(
      'bytes_total',
      'counter',
      'Bytes of record batches copied since the start.',
      perTopic(lane => lane.counts.bytes),
    ),
    metric(
      'lag_records',
      'gauge',
      'Committed records on the source that are not on the target.',
      perTopic(lane => lagOf(lane)?.records ?? 0n),
    ),
    metric(
      'lag_bytes',
      'gauge',
      'The same in bytes, by what records were like so far.',
      perTopic(lane => lagOf(lane)?.bytes ?? 0n),
    ),
    metric(
      'open_records',
      'gauge',
      'Records on the source behind an open transaction.',
      perTopic(lane => lagOf(lane)?.open ?? 0n),
    ),
    metric(
      'stopped_partitions',
      'gauge',
      'Partitions that stopped by a named error.',
      perTopic(lane => (lane.stopped ? 1 : 0)),
    ),
    metric(
      'doubts_total',
      'counter',
      'Times that what the target holds had to be read back.',
      perTopic(lane => lane.counts.doubts),
    ),
    metric(
      'lag_seconds',
      'gauge',
      'Age of the last record copied of the partition that is most behind.',
      all(progress.lagMs / 1_000),
    ),
    metric('partitions', 'gauge', 'Partitions that are mirrored.', all(progress.partitions.total)),
    metric(
      'records_per_second',
      'gauge',
      'Records copied a second, over the last 10 s.',
      all(Math.round(progress.recordRate)),
    ),
    metric(
      'bytes_per_second',
      'gauge',
      'Bytes copied a second, over the last 10 s.',
      all(Math.round(progress.byteRate)),
    ),
    metric(
      'throttled',
      'gauge',
      '1 while a quota or --max-rate slows the mirror.',
      all(progress.throttle ? 1 : 0),
    ),
    metric('refused_topics', 'gauge', 'Topics of the source that can not be followed.', all(refused)),
    metric(
      'requests_total',
      'counter',
      'Requests sent to brokers.',
      [...requests].map(([key, count]) => {
        const [side = '', api = ''] = key.split('/')
        return [{ mirror: name, side, api }, count]
      }),
    ),
  ].join('\n')}\n`
}

/** Names under which a server on this address may be asked: a page on another host must not read it by a name of its own. */
const allowed = ({ host, port }: HostPort, asked: string | undefined): boolean => {
  const loopback = ['127.0.0.1', 'localhost', '[::1]', '::1']
  const names = host === '0.0.0.0' || host === '::' ? undefined : loopback.includes(host) ? loopback : [host]
  if (asked === undefined) return false
  return names === undefined || names.some(name => asked === `${name}:${port}` || asked === name)
}

/** Serves `text` at /metrics, read only. Throws PREFLIGHT when the address can't be had. */
export const serveMetrics = async (address: HostPort, text: () => string): Promise<AsyncDisposable> => {
  // a tenth of a second of CPU, which every start would pay: as a module it brings Node's fetch along
  const { createServer } = await import('node:http')
  let bound = address
  const server = createServer((request, response) => {
    const end = (status: number, body: string, type = 'text/plain; charset=utf-8') => {
      response.writeHead(status, { 'content-type': type, 'x-content-type-options': 'nosniff' }).end(body)
    }
    if (!allowed(bound, request.headers.host)) return end(403, 'this host name is not served\n')
    if (request.method !== 'GET') return end(405, 'read only\n')
    if (request.url?.split('?')[0] !== '/metrics') return end(404, 'see /metrics\n')
    return end(200, text(), 'text/plain; version=0.0.4; charset=utf-8')
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', cause =>
      reject(
        new KmigError(
          'PREFLIGHT',
          `metrics can't be served at ${formatHostPort(address)}: ${cause.message}`,
          {
            cause,
            try: ['give another --metrics host:port'],
          },
        ),
      ),
    )
    server.listen({ host: address.host, port: address.port }, resolve)
  })
  const at = server.address()
  if (at && typeof at === 'object') bound = { host: address.host, port: at.port }
  server.unref()
  return {
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      await new Promise<void>(resolve => server.close(() => resolve()))
    },
  }
}

/** What Prometheus gets of a mirror, now. */
export const metricsOf = (mirror: {
  name: string
  source: Cluster
  target: Cluster
  lanes: readonly Lane[]
  gauge: Meter
  refused(): number
}): string => {
  const sides = (['source', 'target'] as const).flatMap(side =>
    [...mirror[side].requests].map(([api, count]) => [`${side}/${api}`, count] as const),
  )
  const { name, lanes, gauge, refused } = mirror
  return metricsText({ name, lanes, progress: gauge.now, refused: refused(), requests: new Map(sides) })
}
