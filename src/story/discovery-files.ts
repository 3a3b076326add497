import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { readDirectory } from '../discovery/index.ts'
import { bug, formatHostPort, type HostPort, parseBootstrap } from '../kit/index.ts'

type Named = { bootstrap: readonly HostPort[]; zookeeper: string }

const ENTRY = 'uswest1-devc'
const STANDARD = 'kafka_discovery/standard.yaml'
const SCRIBE = 'kafka_discovery/scribe.yaml'
const ELSEWHERE = 'kafka_discovery/elsewhere.yaml'
/** Paths below the root; the last one names another cluster and must stay as it is. */
export const FILES = [STANDARD, SCRIBE, ELSEWHERE] as const

const elsewhere = `---
clusters:
  useast1-prod:
    broker_list: ["192.0.2.1:9092", "192.0.2.2:9092"]
    zookeeper: 192.0.2.9:2181/kafka
local_config: { cluster: useast1-prod }
`

const standard = ({ bootstrap, zookeeper }: Named) => `---
# Who owns this: the streams team. Comments, blanks and quotes survive an edit.
clusters:
  ${ENTRY}:   # the one that moves
    broker_list:
${bootstrap.map(broker => `    - ${formatHostPort(broker)}`).join('\n')}
    zookeeper: ${zookeeper}

  useast1-prod:
    broker_list:
      - "192.0.2.1:9092"   # another region
    zookeeper: '192.0.2.9:2181/kafka'
local_config:
  cluster: ${ENTRY}
`

const scribe = ({ bootstrap, zookeeper }: Named) =>
  `clusters: { ${ENTRY}: { broker_list: [${bootstrap.map(broker => `"${formatHostPort(broker)}"`).join(', ')}], zookeeper: "${zookeeper}" } }
local_config: { cluster: ${ENTRY} }`

/** Writes the story's discovery files: block style, flow style without a final newline, and one of another cluster. */
export const writeFiles = async (root: string, old: Named): Promise<void> => {
  const texts = { [STANDARD]: standard(old), [SCRIBE]: scribe(old), [ELSEWHERE]: elsewhere }
  for (const [path, text] of Object.entries(texts)) {
    await mkdir(dirname(join(root, path)), { recursive: true })
    await writeFile(join(root, path), text)
  }
}

/** The bytes of all files, to compare with later. */
export const snapshot = async (root: string): Promise<Map<string, string>> =>
  new Map(
    await Promise.all(
      FILES.map(async path => [path, await readFile(join(root, path), 'latin1')] as [string, string]),
    ),
  )

/** Paths whose bytes differ. */
export const changedFiles = (a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>): string[] =>
  FILES.filter(path => a.get(path) !== b.get(path))

/** What a client does when it starts: reads the brokers of its cluster from the file of its cluster type. */
export const locateIn = async (root: string, type: 'standard' | 'scribe'): Promise<HostPort[]> => {
  const { files } = await readDirectory(root)
  const entry = files.find(file => file.type === type)?.entries.find(({ name }) => name === ENTRY)
  if (!entry) throw bug(`no entry ${ENTRY} in ${type}.yaml`)
  return parseBootstrap(entry.brokers.join(','))
}
