import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Committed } from '../discovery/index.ts'
import { partitionOf } from '../kafka/index.ts'
import type { During } from '../kit/index.ts'
import type { Mirror } from '../mirror/index.ts'
import type { GroupRow } from '../offsets/index.ts'
import { covers } from './carry.ts'
import { writeCertificate } from './certificate/index.ts'
import type { CertificateInput, MovedOffset } from './certificate-input.ts'
import type { CheckReport } from './check-port.ts'
import { readDocument } from './document.ts'
import type { Stranded } from './reverse-port.ts'
import type { RunRecord } from './run-directory.ts'
import { classOf, type In, type SwitchedName } from './states.ts'

/** What a report tells of the certificate. */
export type Certified = { path: string; html: string; verdict: string; unexplained: string[] }

type Proved = In<SwitchedName | 'completing' | 'complete'>

/** The states that know all that a certificate tells. */
const provedOf = ({ states }: RunRecord): Proved | undefined =>
  states.map(({ state }) => state).findLast((state): state is Proved => 'stranded' in state)

/** Makes the certificate of a run anew; undefined where the run has not come to its switch. */
export const certify = async (
  record: RunRecord,
  { mirror, commit, signal }: During & { mirror?: Mirror | undefined; commit?: Committed },
): Promise<Certified | undefined> => {
  const { directory, header, states, last, notes, hash } = record
  const proved = provedOf(record)
  const plan = readDocument(directory)
  if (!proved || !plan || !last) return undefined
  const { cut, proof: fence, fence: engaged, groups, stranded, reverse, tried = [], readers } = proved
  const writtenMs = states.findLast(({ state }) => state.at === 'files-written')?.atMs
  const watch = notes.findLast(note => note.kind === 'watch')?.watch
  const input: CertificateInput = {
    toolVersion: plan.toolVersion,
    ...{ header, directory, plan, states, cut, fence },
    stranded: strandedOf(proved),
    pause: {
      fromMs: engaged.plan.driver === 'manual' ? fence.fromMs : engaged.sinceMs,
      toMs: writtenMs,
    },
    attempts: tried,
    base: kept<CheckReport>(directory, 'check-base.json'),
    delta: kept<CheckReport>(directory, 'check-delta.json'),
    offsets: [
      ...(readers?.moved ?? []).flatMap(({ group, at, partitions }) =>
        partitions.map(each => ({ group, ...each, reread: '0', movedFirst: at })),
      ),
      ...(kept<Text<GroupRow>[]>(directory, 'offsets.json') ?? []).flatMap(movedOf),
    ],
    groupsLeft: groups.left,
    leftBehind: plan.leftBehind,
    files: plan.files.map(({ path, shaBefore, shaAfter, fields }) => ({ path, shaBefore, shaAfter, fields })),
    commit: commit && { commit: commit.commit, branch: commit.branch },
    hooks: notes.flatMap(note => (note.kind === 'hook' ? [note.hook] : [])),
    drift: [
      ...notes.flatMap(note => (note.kind === 'drift' ? note.found : [])),
      ...stranded.filter(text => rangeOf(text).length === 0),
    ],
    consents: [...plan.accepted, ...notes.flatMap(note => (note.kind === 'consent' ? [note.what] : []))],
    reverse: reverse && {
      producerId: reverse.producerId,
      stateTopic: reverse.stateTopic,
      lag: watch?.lag,
    },
    rollbackClass: classOf(last),
    journalSha256: hash,
  }
  const live = mirror && { old: mirror.source, next: mirror.target, signal }
  return await writeCertificate(input, live)
}

/** What was carried, and what else is stranded. */
const strandedOf = ({ reverse, stranded, carried = [] }: Proved): Stranded[] => [
  ...carried,
  ...[...(reverse?.stranded ?? []), ...stranded.flatMap(rangeOf)].filter(
    (range, i, all) =>
      !carried.some(each => covers(each, range)) && !all.slice(0, i).some(each => covers(each, range)),
  ),
]

/** `orders-0: 100-102`, as states name what is stranded. */
const rangeOf = (text: string): Stranded[] => {
  const [, where, from, last] = /^(\S+): (\d+)-(\d+)$/.exec(text) ?? []
  return where && from && last ? [{ ...partitionOf(where), from, to: String(BigInt(last) + 1n) }] : []
}

const kept = <T>(directory: string, name: string): T | undefined => {
  const path = join(directory, name)
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as T) : undefined
}

/** As JSON holds it. */
type Text<T> = T extends bigint ? string : T extends object ? { [K in keyof T]: Text<T[K]> } : T

const SET = ['committed', 'unchanged', 'renewed']
const movedOf = ({ group, topic, partition, source, outcome }: Text<GroupRow>): MovedOffset[] =>
  SET.includes(outcome.kind) && 'at' in outcome
    ? [{ group, topic, partition, from: source, to: outcome.at, reread: '0' }]
    : []
