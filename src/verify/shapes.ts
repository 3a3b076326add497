import * as z from 'zod'

/** A 64-bit number, as it leaves kmig. */
const int64 = z.string().regex(/^-?\d+$/)
const count = z.int().nonnegative()
const side = z.strictObject({ name: z.string(), clusterId: z.string() })
const ends = z.strictObject({ start: int64, end: int64 })
const kinds = ['changed', 'missing', 'extra', 'swapped', 'moved', 'corrupt'] as const
const look = z
  .strictObject({
    offset: int64,
    timestamp: int64,
    key: z.string().nullable().describe('a digest, unless --show-keys'),
    value: z.string().nullable().describe('digest and length'),
    headers: z.string().describe('digest'),
  })
  .optional()

const difference = z.strictObject({
  topic: z.string(),
  partition: count,
  kind: z.enum(kinds),
  source: int64.optional().describe('first offset on the source'),
  target: int64.optional().describe('first offset on the target; of a missing record, where it must stand'),
  length: int64.describe('offsets in a row'),
  fields: z.array(z.enum(['offset', 'timestamp', 'key', 'value', 'headers'])),
  was: look.describe('the record on the source'),
  is: look.describe('the record on the target'),
  note: z.string().optional(),
})

const topic = z.strictObject({
  topic: z.string(),
  there: z.boolean().describe('whether the target has it'),
  partitions: z.strictObject({ source: count, target: count }),
  settings: z
    .array(
      z.strictObject({
        name: z.string(),
        source: z.string().nullable(),
        target: z.string().nullable(),
        outcome: z.enum(['differs', 'held', 'unknown-to-target']),
      }),
    )
    .describe('those that are not the same'),
  equal: z.boolean(),
})

const digest = z
  .strictObject({
    by: z
      .enum(['offset', 'ordinal', 'key'])
      .describe('what stands for the place of a record; key: the last record of each key, in no order'),
    from: int64,
    to: int64,
    records: count,
    bytes: count,
    sha256: z.string(),
    windows: z.array(
      z.strictObject({ from: int64, to: int64, records: count, bytes: count, sha256: z.string() }),
    ),
  })
  .optional()

const partition = z.strictObject({
  topic: z.string(),
  partition: count,
  how: z
    .enum(['identical', 'mapped', 'any', 'latest', 'unread'])
    .describe(
      'compared at equal offsets, at those of the map of the mirror, in order, by the last value of each key, or not at all',
    ),
  source: ends,
  target: ends,
  records: count.describe('compared; for latest: read from both sides'),
  untouched: count.describe('batches that were equal as they are, compressed'),
  unpacked: count.describe('batches of the target that were unpacked'),
  windows: count.describe('of 65,536 offsets of the source'),
  differingWindows: count,
  counts: z.strictObject(
    Object.fromEntries(kinds.map(kind => [kind, int64])) as Record<(typeof kinds)[number], typeof int64>,
  ),
  behind: int64.describe('offsets that the mirror has not copied yet'),
  since: int64.describe('offsets that were written to the target since the cutover'),
  open: int64.describe('offsets of the source behind an open transaction'),
  notCompared: z.array(
    z.strictObject({ side: z.enum(['source', 'target']), from: int64, to: int64, why: z.string() }),
  ),
  headers: count.describe("batch headers of the target held against the mirror's producer ids"),
  foreign: z.array(z.strictObject({ from: int64, to: int64, producerId: int64, why: z.string() })),
  keys: z.strictObject({ compared: count, superseded: count, passes: count }).optional(),
  digestOld: digest.describe('with --digests: of what was compared on the source; form in docs/verify.md'),
  digestNew: digest.describe('of what was compared on the target'),
  earlier: int64.describe('offsets that an earlier run with this --state compared'),
  failed: z
    .strictObject({ code: z.string(), message: z.string(), try: z.array(z.string()), exit: z.number() })
    .optional(),
})

const groups = z.strictObject({
  compared: count.describe('committed offsets'),
  same: count,
  findings: z.array(
    z.strictObject({
      group: z.string(),
      topic: z.string(),
      partition: count,
      source: int64,
      target: int64.optional(),
      outcome: z.enum(['behind', 'moved-on', 'ahead', 'lower', 'none']),
      equal: z.boolean(),
    }),
  ),
  notCompared: count,
  refused: z.array(z.strictObject({ group: z.string(), why: z.string() })),
})

/** Fields of `kmig verify --json` besides the envelope. */
export const verifyShape = {
  verdict: z.enum(['equal', 'differs', 'partial', 'failed']),
  source: side,
  target: side,
  mirror: z.strictObject({ name: z.string(), cutOver: z.boolean() }).optional(),
  quick: z.boolean(),
  strict: z.boolean(),
  interrupted: z.boolean(),
  ms: count,
  bytes: count.describe('read from both sides together'),
  topics: z.array(topic),
  partitions: z.array(partition),
  groups: groups.optional(),
  differences: z.array(difference).describe('the first ones'),
}
