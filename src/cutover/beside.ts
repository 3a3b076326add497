import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Cluster, EARLIEST, LATEST, partitionKey, partitionOf } from '../kafka/index.ts'
import { type During, KmigError, plural, writeFileAtomic } from '../kit/index.ts'
import { topicChooser } from '../mirror/index.ts'
import type { Cut } from './states.ts'

/** A partition that no copy back covers, and the offsets [from, to) that it has; undefined: no leader tells. */
export type Beside = { where: string; from: bigint; to: bigint | undefined }

/** What the new cluster has beside what moves. */
export type BesidePort = {
  /** Keeps which topics are there before clients may come: theirs are none of this run's business. */
  remember(): Promise<void>
  /** Partitions that were made there since, of topics that moved and of others that would move too; empty ones as well. */
  look(cut: Cut): Promise<Beside[]>
}

export type BesideOptions = During & {
  next: Cluster
  /** Of the run. */
  directory: string
  topics?: readonly string[] | undefined
  exclude?: readonly string[] | undefined
}

/** Topic ids by name. */
type Known = Readonly<Record<string, string>>
const FILE = 'topics-new.json'
/** A fence may stand meanwhile. */
const ASK_MS = 5_000

/** A run that remembers nothing, as an older kmig began it, takes whatever it finds for new. */
export const besidePort = ({ next, directory, topics, exclude, signal }: BesideOptions): BesidePort => {
  const path = join(directory, FILE)
  const chosen = topicChooser({ topics, exclude })
  const there = async () =>
    (await next.metadata('all', { signal })).filter(({ name, error }) => error === 0 && chosen(name))
  return {
    remember: async () => {
      const known: Known = Object.fromEntries((await there()).map(({ name, topicId }) => [name, topicId]))
      await writeFileAtomic(path, `${JSON.stringify(known)}\n`)
    },
    look: async cut => {
      const known = existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as Known) : {}
      const moved = new Set(Object.keys(cut).map(where => partitionOf(where).topic))
      const asks = (await there()).flatMap(({ name, topicId, partitions }) => {
        // one that was there before is another's, unless it moved
        if (!moved.has(name) && Object.hasOwn(known, name) && known[name] === topicId) return []
        return partitions.flatMap(({ partition }) =>
          partitionKey(name, partition) in cut ? [] : [{ topic: name, partition }],
        )
      })
      const at = async (timestamp: bigint) =>
        await next.listOffsets(
          asks.map(ask => ({ ...ask, timestamp })),
          { signal, withinMs: ASK_MS, refused: () => {} },
        )
      const [starts, ends] = [await at(EARLIEST), await at(LATEST)]
      return asks.map(({ topic, partition }) => {
        const where = partitionKey(topic, partition)
        return { where, from: starts.get(where)?.offset ?? 0n, to: ends.get(where)?.offset }
      })
    },
  }
}

const SHOWN = 10
const amount = ({ from, to }: Beside): string =>
  to === undefined ? 'how many records is not known: no leader answers' : plural(to - from, 'record')

/** Whether something of it could be lost. */
export const holdsRecords = ({ from, to }: Beside): boolean => to === undefined || to > from

/** ROLLBACK_REFUSED, by each partition and how many records it has. */
export const besideLost = (found: readonly Beside[]): KmigError => {
  const named = found.slice(0, SHOWN).map(each => `${each.where} (${amount(each)})`)
  const more = found.length > SHOWN ? [`and ${found.length - SHOWN} more partitions`] : []
  const what = `topics or partitions were made on the new cluster after the switch, of which nothing is copied back; going back would lose ${[...named, ...more].join(', ')}`
  return new KmigError('ROLLBACK_REFUSED', what, {
    try: [
      'stay on the new cluster',
      'copy these records by hand or see that nobody needs them, then delete the topics, or the records (kafka-delete-records.sh), and go back',
      'or go back without them: kmig cutover rollback --lossy',
    ],
  })
}

/** What stays behind by consent; `since`: what was named of it already. */
export const besideText = ({ where, from, to }: Beside, since?: string | undefined): string => {
  const first = since === undefined ? from : BigInt(since)
  const range = to === undefined ? `from ${first} on` : `${first}-${to - 1n}`
  const why = since === undefined ? 'made there after the switch' : 'written while kmig went back'
  return `${where}: ${range} (${why}: nothing of it is copied back)`
}
