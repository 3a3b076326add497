import { createHash } from 'node:crypto'
import type { Seen } from '../../../src/cutover/certificate/certificate.ts'
import type { Contents } from '../../../src/cutover/certificate/contents.ts'
import type { CertificateInput } from '../../../src/cutover/certificate-input.ts'

export const sha = (text: string): string => createHash('sha256').update(text).digest('hex')

const side = (name: string) => ({
  ...{
    name,
    clusterId: `id-of-${name}`,
    bootstrap: [`${name}:9092`],
    version: '3.9',
    brokers: [`${name}:9092`],
  },
})
const subject = {
  from: { name: 'old', clusterId: 'id-of-old', bootstrap: ['old:9092'] },
  to: { name: 'new', clusterId: 'id-of-new', bootstrap: ['new:9092'] },
  ...{ mirror: 'm', discovery: '/d', topics: [], exclude: [], groups: [] },
}
/** A run of one topic of two partitions that went well; tests change one thing of it. */
export const input = (over: Partial<CertificateInput> = {}): CertificateInput => ({
  toolVersion: '0.1.0',
  header: { kind: 'run', schemaVersion: 2, id: 'run-1', ...subject },
  directory: '/none',
  plan: {
    ...{ schemaVersion: 1, run: 'run-1', toolVersion: '0.1.0', madeAt: '', expiresAt: '' },
    ...{ from: side('old'), to: side('new'), mirror: 'm', discovery: '/d', subject },
    topics: [
      {
        ...{ topic: 'orders', sourceId: 'a', action: 'mirror', reason: null },
        partitions: [
          { partition: 0, mode: 'identical', reason: null },
          { partition: 1, mode: 'identical', reason: null },
        ],
      },
    ],
    groups: [{ group: 'billing', moves: true, reason: null }],
    leftBehind: { topics: [], groups: [] },
    ...{ changes: [], files: [], hooks: [], hooksDirectory: null },
    seen: { topics: {}, groups: [], acls: null },
    strategy: {
      ...{
        driver: 'hook',
        windowMs: 1_000,
        maxFenceMs: 45_000,
        readersWithinMs: 30_000,
        fenceAttempts: 3,
        backoffMs: 5_000,
        acls: false,
        git: false,
        check: true,
        seal: null,
        wayBack: true,
        rehearsedWithinMs: null,
      },
    },
    preflight: { findings: [], checks: [] },
    ...{ accepted: [], actions: [], hash: sha('plan') },
  },
  states: [],
  attempts: [],
  cut: { 'orders-0': '100', 'orders-1': '0' },
  fence: {
    ...{ driver: 'hook', windowMs: 1_000, sweeps: 5, partitions: 2, fromMs: 1_000, toMs: 2_000 },
    ...{
      evidence: ['hook fence ended with 0'],
      writersLeft: 0,
      ends: { api: 'OffsetForLeaderEpoch', hwIsLeo: true },
    },
    producers: { asked: true, known: 2, moved: 0 },
    transactions: { asked: false, why: 'brokers before 3.0 list no transactions' },
  },
  pause: { fromMs: 1_000, toMs: 3_500 },
  base: { partitions: [], differences: [], bytes: '0', ms: 1 },
  delta: { partitions: [], differences: [], bytes: '0', ms: 1 },
  offsets: [{ group: 'billing', topic: 'orders', partition: 0, from: '90', to: '90', reread: '0' }],
  groupsLeft: [],
  leftBehind: { topics: [], groups: [] },
  files: [{ path: 'generic.yaml', shaBefore: sha('before'), shaAfter: sha('after'), fields: [{}] }],
  commit: undefined,
  hooks: [{ name: 'fence', sha256: sha('hook'), rc: 0, ms: 12.4, at: '2026-01-01T00:00:00Z', attempt: 1 }],
  ...{
    stranded: [],
    drift: [],
    consents: [],
    reverse: undefined,
    rollbackClass: 'FREE',
    journalSha256: sha('journal'),
  },
  ...over,
})

const part = (from: bigint, to: bigint): Contents['partitions'][number] => {
  const window = { from, to, records: Number(to - from), bytes: 10, sha256: sha(`${from}-${to}`) }
  const digest = { by: 'offset' as const, from, to, records: window.records, bytes: 10, sha256: sha('x') }
  const windows = to > from ? [window] : []
  const both = {
    old: { ...digest, windows },
    next: { ...digest, windows: windows.map(each => ({ ...each })) },
  }
  return { topic: 'orders', partition: 0, how: 'identical', ...both, notCompared: [] }
}
const none = (): Contents['partitions'][number] => ({ ...part(0n, 0n), partition: 1 })

/** Up to 80 before the fence, the rest within it. */
export const contents = (): { base: Contents; delta: Contents } => ({
  base: { schemaVersion: 1, partitions: [part(0n, 80n), none()], differences: [] },
  delta: { schemaVersion: 1, partitions: [part(80n, 100n), none()], differences: [] },
})

export const seen = (over: Partial<Seen> = {}): Seen => {
  const of = (n: bigint) =>
    new Map([
      ['orders-0', n],
      ['orders-1', 0n],
    ])
  return {
    madeAt: '2026-01-01T00:00:00Z',
    ids: { old: new Map([['orders', 'a']]), next: new Map([['orders', 'b']]) },
    starts: { old: of(0n), next: of(0n) },
    ends: { old: of(100n), next: of(100n) },
    maps: new Map(),
    ...over,
  }
}
