import { createHash } from 'node:crypto'
import { partitionKey, partitionOf } from '../../kafka/index.ts'
import type { CertificateInput } from '../certificate-input.ts'
import type { PlanDocument } from '../plan-document.ts'
import { timingsOf } from '../report.ts'
import type { RunSide } from '../run-directory.ts'
import type { Contents, ContentsOf } from './contents.ts'
import { coverageOf, externalOf } from './coverage.ts'
import { fenceOf } from './fence-facts.ts'
import type { Certificate, CertifiedPartition } from './shape.ts'
import { unexplainedIn } from './unexplained.ts'

/** What is looked up when a certificate is made; keys are `topic-partition`, or topics for ids. Absent: not known. */
export type Seen = {
  madeAt: string
  ids: { old: ReadonlyMap<string, string>; next: ReadonlyMap<string, string> }
  starts: { old: ReadonlyMap<string, bigint>; next: ReadonlyMap<string, bigint> }
  ends: { old: ReadonlyMap<string, bigint>; next: ReadonlyMap<string, bigint> }
  /** What the run map of a partition is made of. */
  maps: ReadonlyMap<string, { runs: number; sha256: string }>
}

/** Facts only, each journaled, kept or seen; from equal ones follows an equal certificate. */
export const certificateOf = (
  input: CertificateInput,
  contents: { base: Contents | undefined; delta: Contents | undefined },
  seen: Seen,
): Certificate => {
  const { header, plan, states, stranded, rollbackClass, reverse, journalSha256 } = input
  const last = states.at(-1)?.state.at ?? 'empty'
  const side = ({ name, clusterId, bootstrap, version }: PlanDocument['from'], { protocol }: RunSide) => ({
    ...{ name, id: clusterId, bootstrap: [...bootstrap], version },
    ...(protocol && { protocol }),
  })
  const facts = {
    ...{ schemaVersion: 1 as const, kmig: 'cutover-certificate' as const, runId: header.id, state: last },
    ...{ madeAt: seen.madeAt, planHash: plan.hash, toolVersion: input.toolVersion, mirror: header.mirror },
    clusters: { old: side(plan.from, header.from), new: side(plan.to, header.to) },
    times: timingsOf(states),
    fence: fenceOf(input.fence),
    partitions: Object.entries(input.cut).map(([where, cut]) =>
      certified(where, cut, { plan, contents, seen }),
    ),
    differences: [...(contents.base?.differences ?? []), ...(contents.delta?.differences ?? [])],
    groups: groupsOf(input),
    external: externalOf(plan),
    coverage: coverageOf(input),
    discovery: header.discovery,
    files: input.files.map(({ path, shaBefore, shaAfter, fields }) => ({
      ...{ path, before: shaBefore, after: shaAfter, edits: fields.length },
      ...(input.commit && { commit: input.commit.commit }),
    })),
    pause: pauseOf(input),
    attempts: input.attempts.map(({ driver, at, sinceMs, releasedMs, code, why }) => ({
      ...{ driver, state: at, from: new Date(sinceMs).toISOString(), ms: releasedMs - sinceMs, code, why },
    })),
    duplicates: duplicatesOf(input),
    stranded: stranded.map(each => ({ ...each })),
    ...{ drift: [...input.drift], consents: [...input.consents], rollbackClass, journalSha256 },
    hooks: input.hooks.map(({ name, sha256, rc, ms, at }) => ({ name, sha256, rc, ms: Math.round(ms), at })),
    ...(reverse && {
      reverse: {
        ...{ producerId: reverse.producerId, stateTopic: reverse.stateTopic },
        ...(reverse.lag !== undefined && { lag: reverse.lag }),
      },
    }),
  }
  const unexplained = unexplainedIn(facts, { checked: plan.strategy.check })
  const accepted = !plan.strategy.check || facts.consents.length > 0 || plan.accepted.length > 0
  return {
    ...facts,
    unexplained,
    verdict: unexplained.length > 0 ? 'unproved' : accepted ? 'accepted' : 'proved',
  }
}

type About = {
  plan: PlanDocument
  contents: { base: Contents | undefined; delta: Contents | undefined }
  seen: Seen
}

const certified = (where: string, cut: string, { plan, contents, seen }: About): CertifiedPartition => {
  const { topic, partition } = partitionOf(where)
  const planned = plan.topics
    .find(each => each.topic === topic)
    ?.partitions.find(each => each.partition === partition)
  const parts = [contents.base, contents.delta].flatMap(part => {
    const found = part?.partitions.find(each => partitionKey(each.topic, each.partition) === where)
    return found ? [found] : []
  })
  const windows = parts.flatMap(windowsOf)
  const at = (from: ReadonlyMap<string, bigint>) => from.get(where)?.toString()
  const map = seen.maps.get(where)
  const sum = (of: (window: CertifiedPartition['windows'][number]) => number) =>
    windows.reduce((n, window) => n + of(window), 0)
  const whole = parts.length > 0 && parts.every(({ old, next }) => old && next)
  const how = parts.at(-1)?.how
  const from = parts[0]?.old?.from
  const to = parts.at(-1)?.old?.to
  return clean({
    ...{ topic, partition, cut, windows },
    ...{ idOld: seen.ids.old.get(topic), idNew: seen.ids.next.get(topic) },
    mode:
      how === 'mapped' ? 'translated' : how === 'identical' ? 'identical' : (planned?.mode ?? 'identical'),
    reason: planned?.reason ?? null,
    ...{ startOld: at(seen.starts.old), startNew: at(seen.starts.next) },
    ...{ endOld: at(seen.ends.old), endNew: at(seen.ends.next) },
    ...{ records: sum(each => each.records), bytes: sum(each => each.bytes) },
    ...{ mapRuns: map?.runs, mapSha256: map?.sha256 },
    by: parts.at(-1)?.old?.by,
    digestOld: whole ? chained(windows.map(({ digestOld }) => digestOld)) : undefined,
    digestNew: whole ? chained(windows.map(({ digestNew }) => digestNew)) : undefined,
    compared: whole && from !== undefined && to !== undefined ? { from: `${from}`, to: `${to}` } : undefined,
    notComparable: parts.flatMap(({ notCompared }) =>
      notCompared.map(({ side, from, to, why }) => ({
        ...{
          side: side === 'source' ? ('old' as const) : ('new' as const),
          from: `${from}`,
          to: `${to}`,
          why,
        },
      })),
    ),
  })
}

/** Windows of both sides by their number; the last records of keys, which have no windows, as one. */
const windowsOf = ({ old, next }: ContentsOf): CertifiedPartition['windows'] => {
  if (!old || !next) return []
  const ours = old.by === 'key' ? [old] : old.windows
  const theirs = next.by === 'key' ? [next] : next.windows
  return ours.map((window, i) => {
    const other = theirs[i]
    const { from, to, records, bytes, sha256 } = window
    return {
      ...{ fromOld: `${from}`, toOld: `${to}`, records, bytes, digestOld: sha256 },
      ...{
        fromNew: `${other?.from ?? 0n}`,
        toNew: `${other?.to ?? 0n}`,
        digestNew: other?.sha256 ?? NOTHING,
      },
    }
  })
}

/** SHA-256 of no bytes. */
const NOTHING = createHash('sha256').digest('hex')

export const chained = (digests: readonly string[]): string => {
  const hash = createHash('sha256')
  for (const each of digests) hash.update(each, 'hex')
  return hash.digest('hex')
}

type Loose<T> = { [K in keyof T]: T[K] | undefined }
/** Without what is not known: an absent field is the one form of that. */
const clean = (partition: Loose<Required<CertifiedPartition>>): CertifiedPartition =>
  Object.fromEntries(
    Object.entries(partition).filter(([, value]) => value !== undefined),
  ) as CertifiedPartition

const groupsOf = ({ offsets, groupsLeft }: CertificateInput): Certificate['groups'] => [
  ...[...Map.groupBy(offsets, ({ group }) => group)].map(([id, rows]) => ({
    id,
    partitions: rows.map(({ topic, partition, from, to, reread }) => ({
      topic,
      partition,
      from,
      to,
      reread,
    })),
    ...(rows[0]?.movedFirst !== undefined && { movedFirst: rows[0].movedFirst }),
  })),
  ...groupsLeft.map(({ group, why }) => ({ id: group, partitions: [], refusedWhy: why })),
]

const pauseOf = ({ plan, pause: { fromMs, toMs } }: CertificateInput): Certificate['pause'] =>
  plan.topics.map(({ topic }) => ({
    topic,
    ...(toMs !== undefined && { ms: Math.max(0, Math.round(toMs - fromMs)) }),
  }))

/** Batches in flight when the fence came down may have been appended unacknowledged, and be sent again to the new cluster. */
const IN_FLIGHT = 5
const duplicatesOf = ({ fence: { producers, writersLeft } }: CertificateInput): Certificate['duplicates'] => {
  const gone = writersLeft === 0 ? '; the driver saw all writers end' : ''
  if (!producers?.asked)
    return {
      basis: `${IN_FLIGHT} batches per producer and partition that was writing when the fence came${gone}`,
    }
  const basis = `${IN_FLIGHT} batches in flight at most for each of ${producers.known} known producer entries${gone}`
  return { bound: String(producers.known * IN_FLIGHT), basis }
}
