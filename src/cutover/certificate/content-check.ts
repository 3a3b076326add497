import { join } from 'node:path'
import { type ClusterAddress, partitionKey, partitionOf } from '../../kafka/index.ts'
import type { During } from '../../kit/index.ts'
import { differenceText, type VerifyEvent, type VerifyReport, verify } from '../../verify/index.ts'
import type { CheckPort, CheckReport, PartitionDigest } from '../check-port.ts'
import { contentsOf, keepContents, keptContents, type Part } from './contents.ts'

export type CheckPortOptions = During<VerifyEvent> & {
  from: ClusterAddress
  to: ClusterAddress
  /** Of the mirror. */
  name: string
  /** Names, not globs. */
  topics: readonly string[]
  /** Of the run: what was compared is kept there, with all windows. */
  directory: string
  maxRate?: number | undefined
}

/**
 * Content checks by `kmig verify`'s own reads, which know nothing of the mirror's. The base may run for long and goes on
 * after a kill; the delta reads from where the base of each partition ended up to the cut, and nothing else.
 */
export const checkPort = (options: CheckPortOptions): CheckPort => {
  const { directory, signal } = options
  const look = async (part: Part, more: Partial<Parameters<typeof verify>[0]>): Promise<CheckReport> => {
    const { from, to, name, topics, maxRate, on } = options
    const asked = { from, to, name, topics, maxRate, signal, on, digests: true, recordsOnly: true }
    const report = await verify({ ...asked, ...more })
    signal.throwIfAborted()
    const differences = [...wordsOf(report), ...(part === 'delta' ? missingIn(report) : [])]
    await keepContents(directory, part, contentsOf(report, differences))
    return {
      partitions: report.partitions.flatMap(digestsOf),
      differences,
      bytes: String(report.bytes),
      ms: report.ms,
    }
  }
  return {
    base: () => look('base', { state: join(directory, 'contents.state') }),
    async delta(cut) {
      const base = keptContents(directory, 'base')
      if (!base) return nothing(cut)
      const known = new Map(
        base.partitions.map(each => [partitionKey(each.topic, each.partition), each.old?.to]),
      )
      const within = new Map(
        Object.entries(cut).map(([where, end]) => [where, { from: known.get(where), to: BigInt(end) }]),
      )
      return await look('delta', { within })
    },
  }
}

/** What a verification found wrong with records, in words. */
export const wordsOf = ({ topics, partitions, differences }: VerifyReport): string[] => [
  ...topics
    .filter(({ partitions: { source, target } }) => target < source)
    .map(
      ({ topic, partitions: { source, target } }) =>
        `missing ${topic}: ${target} of ${source} partitions are on the new cluster`,
    ),
  ...differences.map(differenceText),
  ...partitions.flatMap(({ topic, partition, foreign, failed }) => [
    ...foreign.map(
      ({ from, to, producerId, why }) =>
        `foreign ${topic}-${partition}: offsets ${from} to ${to} of the new cluster: ${why} (id ${producerId})`,
    ),
    ...(failed ? [`FAILED ${topic}-${partition}: ${failed.code}: ${failed.message}`] : []),
  ]),
]

/** Inside the fence all must be across. */
const missingIn = ({ partitions }: VerifyReport): string[] =>
  partitions.flatMap(({ topic, partition, behind, source }) =>
    behind > 0n ? [`missing ${topic}-${partition}: the last ${behind} offsets before ${source.end}`] : [],
  )

const digestsOf = ({
  topic,
  partition,
  digestOld,
  digestNew,
  notCompared,
}: VerifyReport['partitions'][number]): PartitionDigest[] => {
  if (!digestOld || !digestNew) return []
  const why = notCompared.map(({ side, from, to, why }) => `${side} ${from}-${to}: ${why}`).join('; ')
  return [
    {
      ...{ topic, partition, from: String(digestOld.from), to: String(digestOld.to) },
      records: String(digestOld.records),
      digestOld: digestOld.sha256,
      digestNew: digestNew.sha256,
      equal: digestOld.sha256 === digestNew.sha256,
      notComparable: why || undefined,
    },
  ]
}

const nothing = (cut: Readonly<Record<string, string>>): CheckReport => ({
  partitions: Object.entries(cut).map(([where, to]) => ({
    ...{ ...partitionOf(where), from: to, to, records: '0', digestOld: '', digestNew: '', equal: true },
    notComparable: 'contents were not compared before the fence',
  })),
  ...{ differences: [], bytes: '0', ms: 0 },
})
