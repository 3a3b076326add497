import * as z from 'zod'
import { toldShape } from './doctor/index.ts'

const int64 = z.string().regex(/^-?\d+$/)
const side = z.object({ name: z.string(), clusterId: z.string() })
const file = z.object({ path: z.string(), shaBefore: z.string(), shaAfter: z.string() })
const place = { topic: z.string(), partition: z.number() }
const spot = { path: z.string(), line: z.number(), column: z.number() }
const commit = z.object({ commit: z.string(), branch: z.string(), paths: z.array(z.string()) }).optional()
const certificate = z
  .object({ path: z.string(), html: z.string(), verdict: z.string(), unexplained: z.array(z.string()) })
  .optional()
const groups = z.object({
  groups: z.number(),
  partitions: z.number(),
  left: z.array(z.object({ group: z.string(), why: z.string() })),
})
const moved = z.array(z.object({ ...place, from: int64, to: int64 }))
const answered = <T extends z.ZodRawShape>(shape: T) =>
  z.union([
    z.object({ asked: z.literal(true), ...shape }),
    z.object({ asked: z.literal(false), why: z.string() }),
  ])
const attempt = z.object({
  ...{ driver: z.string(), sinceMs: z.number(), releasedMs: z.number() },
  ...{ at: z.string(), code: z.string(), why: z.string() },
})
const timing = z.object({ state: z.string(), at: z.string(), ms: z.number() })

/** `kmig cutover --json` without `--execute`. */
export const cutoverPlanShape = {
  from: side,
  to: side,
  mirror: z.string(),
  topics: z.array(z.object({ topic: z.string(), action: z.string(), partitions: z.number(), left: int64 })),
  discovery: z.object({
    root: z.string(),
    files: z.array(file),
    entries: z.array(
      z.object({
        path: z.string(),
        line: z.number(),
        type: z.string(),
        cluster: z.string(),
        is: z.enum(['change', 'already']),
      }),
    ),
    mentions: z.array(z.object({ ...spot, host: z.string() })),
    findings: z.array(
      z.object({ ...spot, severity: z.enum(['error', 'warning']), rule: z.string(), message: z.string() }),
    ),
    diff: z.string(),
  }),
  leftBehind: z.object({ topics: z.array(z.string()), groups: groups.shape.left }),
  actions: z.array(z.object({ id: z.string(), effect: z.string(), proof: z.string(), inverse: z.string() })),
  preflight: z.object(toldShape).optional(),
  blockers: z.array(z.string()),
  notes: z.array(z.string()),
  cutover: z.object({ run: z.string(), at: z.string() }).optional(),
  unfinished: z.object({ run: z.string(), at: z.string() }).optional(),
  /** Where `--execute --run` finds this plan. */
  document: z.object({ run: z.string(), path: z.string(), hash: z.string() }).optional(),
}

/** `kmig cutover --execute --json`. */
export const cutoverReportShape = {
  run: z.string(),
  directory: z.string(),
  state: z.enum(['switched', 'target-live', 'soaking', 'complete']),
  already: z.boolean(),
  from: side,
  to: side,
  mirror: z.string(),
  discovery: z.string(),
  files: z.array(file),
  partitions: z.array(z.object({ ...place, cut: int64, old: int64.optional(), new: int64.optional() })),
  groups,
  readersFirst: z.array(z.string()),
  proof: z.object({
    windowMs: z.number(),
    sweeps: z.number(),
    partitions: z.number(),
    fromMs: z.number(),
    toMs: z.number(),
    driver: z.string(),
    evidence: z.array(z.string()),
    writersLeft: z.number().optional(),
    ends: z.object({ api: z.string(), hwIsLeo: z.boolean() }).optional(),
    producers: answered({ known: z.number(), moved: z.literal(0), lastMs: z.number().optional() }).optional(),
    transactions: answered({ open: z.literal(0) }).optional(),
  }),
  timings: z.array(timing),
  pauseMs: z.number(),
  attempts: z.array(attempt),
  stranded: z.array(z.string()),
  drift: z.array(z.string()),
  commit,
  certificate,
}

/** `kmig cutover rollback --json`. */
export const rollbackShape = {
  run: z.string(),
  directory: z.string(),
  discovery: z.string(),
  from: side,
  to: side,
  already: z.boolean(),
  files: z.object({ changed: z.array(z.string()), already: z.array(z.string()) }),
  groups,
  lost: z.array(z.string()),
  undone: z.array(z.string()),
  standing: z.array(z.string()),
  commit,
  certificate,
}

/** `kmig cutover status --json`. */
export const statusShape = {
  standing: z.array(z.object({ run: z.string(), what: z.array(z.string()) })),
  stranded: z.array(z.string()),
  carried: z.array(z.string()),
  run: z.string(),
  directory: z.string(),
  state: z.string(),
  class: z.enum(['FREE', 'REVERSE', 'NONE']),
  means: z.string(),
  runner: z.number().optional(),
  held: z.string().optional(),
  fence: z.object({ driver: z.string(), elapsedMs: z.number(), maxMs: z.number().optional() }).optional(),
  proofAgeMs: z.number().optional(),
  watch: z
    .object({
      agoMs: z.number(),
      lag: z.string().optional(),
      oldQuietMs: z.number(),
      stranded: z.array(z.string()),
    })
    .optional(),
  readers: z.array(
    z.object({
      group: z.string(),
      state: z.enum(['moved', 'waiting']),
      partitions: moved,
      members: z.object({ old: z.array(z.string()), new: z.array(z.string()) }),
      why: z.string().optional(),
    }),
  ),
  drift: z.array(z.object({ at: z.string(), found: z.array(z.string()) })),
  from: side,
  to: side,
  mirror: z.string(),
  discovery: z.string(),
  files: z.array(file),
  partitions: z.array(z.object({ ...place, cut: int64 })),
  attempts: z.array(attempt),
  timings: z.array(timing),
  hooks: z.array(z.object({ name: z.string(), at: z.string(), rc: z.number(), ms: z.number() })),
  runs: z.array(z.object({ run: z.string(), state: z.string() })),
}

/** `kmig cutover go`, `pause`, `abort`, `complete` with `--json`. */
export const verbShape = {
  run: z.string(),
  state: z.string(),
  class: z.enum(['FREE', 'REVERSE', 'NONE']),
  means: z.string(),
  by: z.enum(['runner', 'journal']),
  stranded: z.array(z.string()),
  carried: z.array(z.string()),
  undone: z.array(z.string()),
}
