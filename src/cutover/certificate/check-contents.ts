import { type ClusterAddress, EARLIEST, partitionKey } from '../../kafka/index.ts'
import { type VerifyEvent, type VerifyReport, verify } from '../../verify/index.ts'
import type { Live } from './check-live.ts'
import { wordsOf } from './content-check.ts'
import type { Finding } from './finding.ts'
import { type Piece, piecesOf, type Starts } from './pieces.ts'
import type { CertifiedPartition } from './shape.ts'

export type ContentsOptions = Live & {
  from: ClusterAddress
  to: ClusterAddress
  maxRate: number | undefined
  on?: ((event: VerifyEvent) => void) | undefined
}

/** Reads both sides again, in the pieces that the certificate's windows are of, and holds each window against it. */
export const checkContents = async (
  options: ContentsOptions,
): Promise<{ findings: Finding[]; bytes: number }> => {
  const { certificate, signal, from, to, maxRate, on } = options
  const digested = certificate.partitions.filter(({ digestOld }) => digestOld !== undefined)
  const findings: Finding[] = certificate.partitions.flatMap(each => {
    if (each.digestOld !== undefined || BigInt(each.cut) === 0n) return []
    return [cannot(keyOf(each), 'it was not compared when the certificate was made')]
  })
  if (digested.length === 0) return { findings, bytes: 0 }
  const starts = await startsOf(options)
  const pieces = digested.flatMap(each => {
    const { pieces, gone } = piecesOf(each, starts)
    if (gone) findings.push(cannot(keyOf(each), gone))
    return pieces
  })
  let bytes = 0
  for (const layer of layersOf(pieces)) {
    const report = await verify({
      ...{ from, to, name: certificate.mirror, topics: [...new Set(layer.map(({ of }) => of.topic))] },
      within: new Map(layer.map(({ of, from, to }) => [keyOf(of), { from, to }])),
      ...{ digests: true, recordsOnly: true, maxRate, signal, on },
    })
    signal?.throwIfAborted()
    bytes += report.bytes
    findings.push(...wordsOf(report).map(text => differs('records', text)))
    findings.push(...layer.flatMap(piece => held(piece, report)))
  }
  return { findings, bytes }
}

const keyOf = ({ topic, partition }: CertifiedPartition): string => partitionKey(topic, partition)
const differs = (where: string, text: string): Finding => ({
  kind: 'contents',
  where,
  outcome: 'differs',
  text,
})
const cannot = (where: string, text: string): Finding => ({
  kind: 'contents',
  where,
  outcome: 'cannot',
  text,
})

const startsOf = async ({ certificate, old, next, signal }: Live): Promise<Starts> => {
  const asks = certificate.partitions.map(({ topic, partition }) => ({
    topic,
    partition,
    timestamp: EARLIEST,
  }))
  return { old: await old.listOffsets(asks, { signal }), next: await next.listOffsets(asks, { signal }) }
}

/** A verification takes one piece of a partition. */
const layersOf = (pieces: readonly Piece[]): Piece[][] => [
  ...Map.groupBy(pieces, ({ number }) => number).values(),
]

/** Windows of both sides against those of the certificate; the last values of keys only against each other. */
const held = ({ of, windows }: Piece, { partitions }: VerifyReport): Finding[] => {
  const where = keyOf(of)
  const now = partitions.find(each => each.topic === of.topic && each.partition === of.partition)
  const { digestOld, digestNew } = now ?? {}
  if (!digestOld || !digestNew) return [differs(where, 'it could not be read again')]
  if (of.by === 'key')
    return digestOld.sha256 === digestNew.sha256
      ? [cannot(where, 'compacted: both sides are equal now, the digest of then can not be made again')]
      : [differs(where, 'the last values of its keys differ')]
  const ours = new Map(digestOld.windows.map(each => [String(each.from), each.sha256]))
  const theirs = new Map(digestNew.windows.map(each => [String(each.from), each.sha256]))
  const wrong = windows.flatMap(({ fromOld, toOld, fromNew, toNew, digestOld, digestNew }) => [
    ...(ours.get(fromOld) === digestOld
      ? []
      : [differs(where, `old cluster: offsets ${fromOld} to ${toOld} are not what they were`)]),
    ...(theirs.get(fromNew) === digestNew
      ? []
      : [differs(where, `new cluster: offsets ${fromNew} to ${toNew} are not what they were`)]),
  ])
  if (wrong.length > 0) return wrong
  const records = windows.reduce((sum, each) => sum + each.records, 0)
  return [
    {
      kind: 'contents',
      where,
      outcome: 'equal',
      text: `${records} records have the digests of the certificate on both sides`,
    },
  ]
}
