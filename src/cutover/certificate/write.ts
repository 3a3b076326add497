import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { type Cluster, EARLIEST, partitionOf } from '../../kafka/index.ts'
import { type During, writeFileAtomic } from '../../kit/index.ts'
import { MirrorState } from '../../mirror/index.ts'
import { StateTopic } from '../../offsets/index.ts'
import type { CertificateInput } from '../certificate-input.ts'
import { logEnds, type Where } from '../log-ends.ts'
import { certificateOf, type Seen } from './certificate.ts'
import { keptContents } from './contents.ts'
import { certificatePage } from './page.ts'
import { type Certificate, certificateShape } from './shape.ts'

export type Written = { path: string; html: string; verdict: Certificate['verdict']; unexplained: string[] }

/**
 * Writes `certificate.json` and `certificate.html` into the run's directory, over those of an earlier state. Without `live`
 * it is made of what the run knows alone, for when a cluster can't be reached.
 */
export const writeCertificate = async (
  input: CertificateInput,
  live?: During & { old: Cluster; next: Cluster },
): Promise<Written> => {
  const contents = {
    base: input.base && keptContents(input.directory, 'base'),
    delta: input.delta && keptContents(input.directory, 'delta'),
  }
  const wheres = Object.keys(input.cut).map(partitionOf)
  const seen = live && wheres.length > 0 ? await look(input, wheres, live) : blind()
  const certificate = certificateShape.parse(certificateOf(input, contents, seen))
  const path = join(input.directory, 'certificate.json')
  const html = join(input.directory, 'certificate.html')
  await writeFileAtomic(html, certificatePage(certificate))
  await writeFileAtomic(path, `${JSON.stringify(certificate, undefined, 1)}\n`)
  return { path, html, verdict: certificate.verdict, unexplained: certificate.unexplained }
}

const blind = (): Seen => {
  const none = { old: new Map<string, never>(), next: new Map<string, never>() }
  return { madeAt: new Date().toISOString(), ids: none, starts: none, ends: none, maps: new Map() }
}

const look = async (
  { header }: CertificateInput,
  wheres: readonly Where[],
  { old, next, signal }: During & { old: Cluster; next: Cluster },
): Promise<Seen> => {
  const topics = [...new Set(wheres.map(({ topic }) => topic))]
  const idsOf = async (cluster: Cluster) =>
    new Map((await cluster.metadata(topics, { signal })).map(({ name, topicId }) => [name, topicId]))
  const startsOf = async (cluster: Cluster) => {
    const asks = wheres.map(where => ({ ...where, timestamp: EARLIEST }))
    const found = await cluster.listOffsets(asks, { signal })
    return new Map([...found].map(([where, { offset }]) => [where, offset]))
  }
  const endsOf = async (cluster: Cluster) =>
    new Map([...(await logEnds(cluster, wheres, { signal }))].map(([where, { leo }]) => [where, leo]))
  const both = async <T>(of: (cluster: Cluster) => Promise<T>) => {
    const [ours, theirs] = await Promise.all([of(old), of(next)])
    return { old: ours, next: theirs }
  }
  const state = await StateTopic.read(next, header.mirror, { signal })
  return {
    madeAt: new Date().toISOString(),
    ids: await both(idsOf),
    starts: await both(startsOf),
    ends: await both(endsOf),
    maps: state ? mapsOf(new MirrorState(state), wheres) : new Map(),
  }
}

const mapsOf = (state: MirrorState, wheres: readonly Where[]): Seen['maps'] =>
  new Map(
    wheres.flatMap(({ topic, partition }) => {
      const { runs } = state.map(topic, partition).map
      if (runs.runs === 0) return []
      const hash = createHash('sha256')
      for (let run = 0; run < runs.runs; run++)
        hash.update(`${runs.startOf(run)} ${runs.ordinalOfRun(run)}\n`)
      return [[`${topic}-${partition}`, { runs: runs.runs, sha256: hash.digest('hex') }] as const]
    }),
  )
