import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { KmigError } from '../kit/index.ts'
import { render } from './configs.ts'
import { runToEnd } from './supervised.ts'
import { tailOf } from './tail.ts'

const CHECKPOINT = 'bootstrap.checkpoint'

export type FormatOptions = {
  /** Directory of the jars; what depends on nothing but them is kept there. */
  home: string
  /** StorageTool's command line. */
  command: readonly [string, ...string[]]
  /** Arguments that put users into the new cluster's metadata. */
  users: readonly string[]
  signal: AbortSignal
}

/**
 * The feature levels that a new cluster of this version has, as Kafka's own `format` writes them. They depend on nothing
 * but the version, so one run serves all clusters to come; with users it is made for this one. Source: KIP-584, org.apache.kafka.metadata.storage.Formatter.
 */
const checkpointOf = async ({ home, command, users, signal }: FormatOptions): Promise<Buffer> => {
  const kept = join(home, CHECKPOINT)
  if (users.length === 0 && existsSync(kept)) return await readFile(kept)
  const work = await mkdtemp(join(home, 'format-'))
  const [file, log, data] = ['properties', 'log', 'data'].map(name => join(work, name)) as [
    string,
    string,
    string,
  ]
  const node = {
    'process.roles': 'broker,controller',
    'node.id': 1,
    'controller.quorum.voters': '1@127.0.0.1:9090',
    'controller.listener.names': 'CONTROLLER',
    listeners: 'PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9090',
    'log.dirs': data,
  }
  await writeFile(file, render(node))
  const code = await runToEnd(
    { command: [...command, 'format', '-t', kafkaId(), '-c', file, ...users], cwd: work, log },
    signal,
  )
  if (code !== 0) {
    throw new KmigError('SANDBOX', `formatting storage ended with ${code}:\n${await tailOf(log, 15)}`, {
      try: [`see ${log}`],
    })
  }
  const checkpoint = await readFile(join(data, CHECKPOINT))
  if (users.length === 0) await rename(join(data, CHECKPOINT), kept)
  await rm(work, { recursive: true })
  return checkpoint
}

type Formatted = { id: number; data: string }

/** Makes the data directories of a new KRaft cluster. Throws SANDBOX. */
export const format = async (nodes: readonly Formatted[], options: FormatOptions): Promise<void> => {
  const checkpoint = await checkpointOf(options)
  const clusterId = kafkaId()
  for (const { id, data } of nodes) {
    const meta = { version: 1, 'cluster.id': clusterId, 'node.id': id, 'directory.id': kafkaId() }
    await writeFile(join(data, CHECKPOINT), checkpoint)
    await writeFile(join(data, 'meta.properties'), render(meta))
  }
}

/** 16 random bytes in base64url, as Kafka writes a Uuid; a leading `-` would be taken for an option. */
const kafkaId = (): string => {
  const id = randomBytes(16).toString('base64url')
  return id.startsWith('-') ? kafkaId() : id
}
