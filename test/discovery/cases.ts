import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { ClusterAddresses } from '../../src/discovery/index.ts'

export const OLD: ClusterAddresses = {
  brokers: ['broker-a.example.com:9092', 'broker-b.example.com:9092'],
}
export const NEW: ClusterAddresses = {
  brokers: ['new-1.example.com:9092', 'new-2.example.com:9092'],
  zookeeper: '10.1.0.1:2181,10.1.0.2:2181/kafka-new',
}
export const OLD_ZK = '10.0.0.1:2181,10.0.0.2:2181,10.0.0.3:2181/kafka-old'

/** A discovery file with one entry per cluster, in the plainest style. */
export const discoveryText = (clusters: Record<string, readonly string[]>, zookeeper = OLD_ZK): string =>
  [
    '---',
    'clusters:',
    ...Object.entries(clusters).flatMap(([name, brokers]) => [
      `  ${name}:`,
      '    broker_list:',
      ...brokers.map(broker => `    - ${broker}`),
      `    zookeeper: ${zookeeper}`,
    ]),
    'local_config:',
    `  cluster: ${Object.keys(clusters)[0]}`,
    '',
  ].join('\n')

/** A fresh directory with these files; gone when disposed. */
export const scratch = (files: Record<string, string | Uint8Array> = {}) => {
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'kmig-discovery-')))
  for (const [path, bytes] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), bytes)
  }
  return { root, [Symbol.dispose]: () => rmSync(root, { recursive: true, force: true }) }
}
