import { createHash } from 'node:crypto'
import * as z from 'zod'
import { KmigError } from '../kit/index.ts'
import { type Acl, aclEntries, aclOf, pathFault, Stat } from '../zookeeper/index.ts'
import type { Scanned } from './scan.ts'

export const DUMP_VERSION = 1
const long = z.string().regex(/^-?\d+$/)
const int = z.int()
/** The lines of a dump, each an object with its `kind`. Longs are strings. */
export const headerLine = z.strictObject({
  kind: z.literal('header'),
  format: z.literal('kmig-zk-dump'),
  version: z.literal(DUMP_VERSION),
  from: z.string().describe('connect string of the ensemble'),
  root: z.string().describe('paths are below it'),
  zxid: long.describe('what the ensemble had when the dump began'),
  at: z.string().describe('ISO 8601'),
})
export const nodeLine = z.strictObject({
  kind: z.literal('node'),
  path: z.string(),
  data: z.string().nullable().describe('base64; null is no data at all'),
  acl: z.array(z.strictObject({ perms: int, scheme: z.string(), id: z.string() })),
  stat: z.strictObject({
    czxid: long,
    mzxid: long,
    ctime: int,
    mtime: int,
    version: int,
    cversion: int,
    aversion: int,
    ephemeralOwner: long,
    dataLength: int,
    numChildren: int,
    pzxid: long,
  }),
})
export const footerLine = z.strictObject({
  kind: z.literal('footer'),
  znodes: int,
  zxid: long.describe('what the ensemble had when the dump ended'),
  sha256: z.string().describe('of all bytes before this line'),
})
export type Header = z.infer<typeof headerLine>
export type Footer = z.infer<typeof footerLine>
/** A znode as a dump has it. */
export type Dumped = { path: string; data: Buffer | null; acl: Acl; stat: Stat }

export const nodeText = ({ path, data, acl, stat }: Scanned & { acl: Acl }): string =>
  JSON.stringify({
    kind: 'node',
    path,
    data: data?.toString('base64') ?? null,
    acl: aclEntries(acl),
    stat: {
      czxid: String(stat.czxid),
      mzxid: String(stat.mzxid),
      ctime: stat.ctimeMs,
      mtime: stat.mtimeMs,
      version: stat.version,
      cversion: stat.cversion,
      aversion: stat.aversion,
      ephemeralOwner: String(stat.ephemeralOwner),
      dataLength: stat.dataLength,
      numChildren: stat.numChildren,
      pzxid: String(stat.pzxid),
    },
  } satisfies z.input<typeof nodeLine>)

export const damaged = (file: string, why: string): KmigError =>
  new KmigError('ZK_DUMP_DAMAGED', `${file}: ${why}`, {
    try: ['take another dump; one that was cut off or changed by hand is not restored'],
  })

/** A line by its schema. Throws ZK_DUMP_DAMAGED with file, line and field. */
export const parseLine = <T>(schema: z.ZodType<T>, { text, where }: Line): T => {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    throw damaged(where.file, `line ${where.line} is no JSON`)
  }
  const checked = schema.safeParse(json)
  if (checked.success) return checked.data
  const [issue] = checked.error.issues
  const at = issue?.path.join('.')
  throw damaged(where.file, `line ${where.line}${at ? `, ${at}` : ''}: ${issue?.message}`)
}

export type Line = { text: string; where: { file: string; line: number } }

export const readHeader = (line: Line): Header => {
  const header = parseLine(headerLine, line)
  const fault = pathFault(header.root)
  if (fault) throw damaged(line.where.file, `the root '${header.root}': ${fault}`)
  return header
}

export const isFooter = (text: string): boolean => text.startsWith('{"kind":"footer"')
export const readFooter = (line: Line): Footer => parseLine(footerLine, line)

type NodeLine = z.infer<typeof nodeLine>
const LONG = /^-?\d+$/
const LONGS = ['czxid', 'mzxid', 'ephemeralOwner', 'pzxid'] as const
const INTS = ['ctime', 'mtime', 'version', 'cversion', 'aversion', 'dataLength', 'numChildren'] as const

/** A line that holds exactly what its schema asks for: found out in a tenth of the schema's time. Else undefined. */
const plainNode = (text: string): NodeLine | undefined => {
  try {
    const node = JSON.parse(text) as NodeLine
    const { kind, path, data, acl, stat } = node
    const plain =
      Object.keys(node).length === 5 &&
      Object.keys(stat).length === LONGS.length + INTS.length &&
      kind === 'node' &&
      typeof path === 'string' &&
      (data === null || typeof data === 'string') &&
      acl.every(entry => Object.keys(entry).length === 3 && isEntry(entry)) &&
      LONGS.every(name => typeof stat[name] === 'string' && LONG.test(stat[name])) &&
      INTS.every(name => Number.isSafeInteger(stat[name]))
    return plain ? node : undefined
  } catch {
    return undefined
  }
}
const isEntry = ({ perms, scheme, id }: NodeLine['acl'][number]): boolean =>
  Number.isSafeInteger(perms) && typeof scheme === 'string' && typeof id === 'string'

/** Throws ZK_DUMP_DAMAGED. */
export const readNode = (line: Line): Dumped => {
  const { path, data, acl, stat } = plainNode(line.text) ?? parseLine(nodeLine, line)
  const fault = pathFault(path)
  if (fault) throw damaged(line.where.file, `line ${line.where.line}, path '${path}': ${fault}`)
  const bytes = data === null ? null : Buffer.from(data, 'base64')
  if ((bytes?.length ?? 0) !== stat.dataLength) {
    const { file, line: at } = line.where
    throw damaged(file, `line ${at}: ${bytes?.length ?? 0} bytes of data where ${stat.dataLength} are due`)
  }
  return { path, data: bytes, acl: aclOf(acl), stat: statOf(stat) }
}

/** A Stat in the server's own encoding. */
const statOf = (from: z.infer<typeof nodeLine>['stat']): Stat => {
  const bytes = Buffer.alloc(68)
  bytes.writeBigInt64BE(BigInt(from.czxid), 0)
  bytes.writeBigInt64BE(BigInt(from.mzxid), 8)
  bytes.writeBigInt64BE(BigInt(from.ctime), 16)
  bytes.writeBigInt64BE(BigInt(from.mtime), 24)
  bytes.writeInt32BE(from.version, 32)
  bytes.writeInt32BE(from.cversion, 36)
  bytes.writeInt32BE(from.aversion, 40)
  bytes.writeBigInt64BE(BigInt(from.ephemeralOwner), 44)
  bytes.writeInt32BE(from.dataLength, 52)
  bytes.writeInt32BE(from.numChildren, 56)
  bytes.writeBigInt64BE(BigInt(from.pzxid), 60)
  return new Stat(bytes)
}

/** Counts lines and hashes their bytes, on the way out and on the way in. */
export class LineSum {
  readonly #hash = createHash('sha256')
  /** Lines of znodes. */
  znodes = 0
  add(text: string): void {
    this.#hash.update(`${text}\n`)
  }
  /** Once. */
  sha256(): string {
    return this.#hash.digest('hex')
  }
}
