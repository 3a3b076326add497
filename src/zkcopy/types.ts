import { readFileSync } from 'node:fs'
import { KmigError, messageOf } from '../kit/index.ts'
import { MAX_TTL_MS, type ZnodeType } from '../zookeeper/index.ts'

/** Reads `GLOB=ms`. Throws USAGE. */
export const parseTtl = (text: string): { glob: string; type: ZnodeType } => {
  const [, glob, digits] = /^(.+)=(\d+)$/.exec(text) ?? []
  const ms = Number(digits)
  if (glob && ms >= 1 && ms <= MAX_TTL_MS) return { glob, type: { kind: 'ttl', ms } }
  throw new KmigError('USAGE', `--ttl '${text}' is not GLOB=ms with 1 to ${MAX_TTL_MS} ms`, {
    try: ["for example --ttl '/sessions/*=3600000'"],
  })
}

const CONTAINER = 1n << 63n
const TTL = 0xff00_0000_0000_0000n
const TTL_KIND = 0xffffff00_0000_0000n

/**
 * Containers and znodes with a time to live as a snapshot of the servers has them: no client sees what they are, but
 * ZooKeeper's own SnapshotFormatter prints it (`bin/zkSnapShotToolkit.sh snapshot.N`). By absolute path.
 * Throws USAGE. Source: org.apache.zookeeper.server.SnapshotFormatter, EphemeralType.
 */
export const readTypes = (file: string): Map<string, ZnodeType> => {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (e) {
    throw new KmigError('USAGE', `--types-from ${file} can't be read: ${messageOf(e)}`, { cause: e })
  }
  const types = new Map<string, ZnodeType>()
  let path: string | undefined
  let owners = 0
  for (const line of text.split('\n')) {
    if (line.startsWith('/')) path = line
    const owner = /^ {2}ephemeralOwner = 0x([0-9a-f]+)$/.exec(line)?.[1]
    if (!owner || path === undefined) continue
    owners++
    const type = typeOf(BigInt(`0x${owner}`))
    if (type) types.set(path, type)
  }
  if (owners > 0) return types
  throw new KmigError('USAGE', `--types-from ${file} is no snapshot as ZooKeeper prints it`, {
    try: ['on a server of the source: bin/zkSnapShotToolkit.sh dataDir/version-2/snapshot.N > FILE'],
  })
}

const typeOf = (owner: bigint): ZnodeType | undefined => {
  if (owner === CONTAINER) return { kind: 'container' }
  if ((owner & TTL_KIND) === TTL) return { kind: 'ttl', ms: Number(owner & BigInt(MAX_TTL_MS)) }
  return undefined
}
