import * as z from 'zod'

const int64 = z.string().regex(/^-?\d+$/)
const count = z.int().nonnegative()
const sha256 = z.string().regex(/^[0-9a-f]{64}$/)
const why = z.string()
const place = { topic: z.string(), partition: count }
const range = { from: int64, to: int64 }

const cluster = z.strictObject({
  name: z.string(),
  id: z.string(),
  bootstrap: z.array(z.string()),
  protocol: z.string().optional().describe('absent: PLAINTEXT'),
  version: z.string().describe("as its brokers tell it by their APIs; '' where they don't"),
})

const asked = z.strictObject({ asked: z.boolean(), text: z.string() })

const window = z.strictObject({
  fromOld: int64,
  toOld: int64,
  fromNew: int64,
  toNew: int64,
  records: count,
  bytes: count,
  digestOld: sha256,
  digestNew: sha256,
})

const partition = z.strictObject({
  ...place,
  idOld: z.string().optional().describe('topic id'),
  idNew: z.string().optional(),
  mode: z.enum(['identical', 'translated']),
  reason: z.string().nullable(),
  startOld: int64.optional().describe('log start when the certificate was made'),
  startNew: int64.optional(),
  cut: int64.describe('V: every record of the old cluster below it is covered'),
  endOld: int64.optional().describe('log end when the certificate was made'),
  endNew: int64.optional(),
  records: count,
  bytes: count,
  mapRuns: count.optional(),
  mapSha256: sha256.optional().describe('of `source ordinal` of each run, one a line'),
  by: z.enum(['offset', 'ordinal', 'key']).optional().describe('as in the report of kmig verify --digests'),
  digestOld: sha256.optional().describe("of the windows' digests, one after the other"),
  digestNew: sha256.optional(),
  compared: z.strictObject(range).optional().describe('offsets of the old cluster'),
  notComparable: z.array(z.strictObject({ side: z.enum(['old', 'new']), ...range, why })),
  windows: z.array(window),
})

const group = z.strictObject({
  id: z.string(),
  partitions: z.array(z.strictObject({ ...place, from: int64, to: int64, reread: int64 })),
  refusedWhy: z.string().optional(),
  movedFirst: z.string().optional().describe('when its readers moved, if that was before the fence'),
})

/** What a run proves of itself, and what it can't. Source: CUTOVER.md 9. */
export const certificateShape = z.strictObject({
  schemaVersion: z.literal(1),
  kmig: z.literal('cutover-certificate'),
  runId: z.string(),
  state: z.string(),
  madeAt: z.string(),
  planHash: z.string(),
  toolVersion: z.string(),
  mirror: z.string(),
  clusters: z.strictObject({ old: cluster, new: cluster }),
  times: z.array(z.strictObject({ state: z.string(), at: z.string(), ms: count })),
  fence: z.strictObject({
    driver: z.string(),
    windowMs: count,
    sweeps: count,
    partitions: count,
    from: z.string(),
    to: z.string(),
    evidence: z.array(z.string()),
    ends: asked,
    producers: asked,
    transactions: asked,
  }),
  partitions: z.array(partition),
  differences: z.array(z.string()),
  groups: z.array(group),
  external: z.array(z.strictObject({ consumer: z.string(), valid: z.boolean(), why })),
  coverage: z.array(
    z.strictObject({
      kind: z.enum(['topic', 'group', 'setting']),
      name: z.string(),
      what: z.enum(['copied', 'translated', 'changed', 'refused']),
      why: z.string().nullable(),
    }),
  ),
  discovery: z.string().describe('directory that the paths of files are relative to'),
  files: z.array(
    z.strictObject({
      path: z.string(),
      before: sha256,
      after: sha256,
      edits: count,
      commit: z.string().optional(),
    }),
  ),
  pause: z
    .array(z.strictObject({ topic: z.string(), ms: count.optional() }))
    .describe('from the fence until writers could go on; without ms where they had not been let go yet'),
  attempts: z
    .array(
      z.strictObject({
        ...{ driver: z.string(), state: z.string(), from: z.string(), ms: count },
        ...{ code: z.string(), why },
      }),
    )
    .default([])
    .describe('fences that were let go before with nothing moved: how long writers were kept off, and why'),
  duplicates: z.strictObject({ bound: int64.optional().describe('batches'), basis: z.string() }),
  stranded: z
    .array(z.strictObject({ ...place, ...range, carried: z.strictObject(range).optional() }))
    .describe('written to the old cluster after the cut; carried: where on the new one it was copied to'),
  drift: z.array(z.string()),
  consents: z.array(z.string()),
  hooks: z.array(
    z.strictObject({ name: z.string(), sha256: z.string(), rc: z.int(), ms: count, at: z.string() }),
  ),
  reverse: z
    .strictObject({ producerId: int64, stateTopic: z.string(), lag: int64.optional() })
    .optional()
    .describe('the copy from the new cluster back to the old one'),
  rollbackClass: z.enum(['FREE', 'REVERSE', 'NONE']),
  journalSha256: z.string(),
  unexplained: z.array(z.string()),
  verdict: z.enum(['proved', 'accepted', 'unproved']),
})
export type Certificate = z.output<typeof certificateShape>
export type CertifiedPartition = Certificate['partitions'][number]
