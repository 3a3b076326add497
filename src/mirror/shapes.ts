import * as z from 'zod'
import { ENTRY_KINDS } from '../inventory/index.ts'

/** A 64-bit number, as it leaves kmig. */
const int64 = z.string().regex(/^-?\d+$/)
const side = z.object({ name: z.string(), clusterId: z.string() })
const stopped = z.object({
  code: z.string(),
  message: z.string(),
  try: z.array(z.string()),
  exit: z.number(),
})
const outcome = z.looseObject({
  kind: z.enum(['committed', 'movable', 'unchanged', 'renewed', 'waiting', 'kept', 'refused']),
})

const partition = z.object({
  topic: z.string(),
  partition: z.number(),
  mode: z.enum(['identical', 'translated']),
  translatedFrom: int64.optional(),
  modeWhy: z.string().optional(),
  start: int64,
  end: int64,
  sourceEnd: int64.optional(),
  records: int64,
  bytes: int64,
  passed: z.number(),
  merged: z.number(),
  reencoded: z.number(),
  padded: int64,
  filled: int64,
  holes: int64,
  runs: z.number(),
  doubts: z.number(),
  gaps: z.array(z.object({ from: int64, to: int64 })),
  stopped: stopped.optional(),
})

const inventory = z.array(
  z.object({
    kind: z.enum(ENTRY_KINDS),
    name: z.string(),
    outcome: z.enum(['copied', 'changed', 'refused', 'excluded', 'extra']),
    why: z.string().optional(),
  }),
)

const groups = z.object({
  rows: z.array(
    z.object({
      group: z.string(),
      topic: z.string(),
      partition: z.number(),
      source: int64,
      target: int64.optional(),
      outcome,
    }),
  ),
  refused: z.array(z.object({ group: z.string(), why: z.string() })),
  excluded: z.array(z.object({ group: z.string(), topic: z.string().optional(), why: z.string() })),
})

/** `kmig mirror --json`. */
export const reportShape = {
  name: z.string(),
  source: side,
  target: side,
  ms: z.number(),
  copyMs: z.number(),
  records: int64,
  bytes: int64,
  partitions: z.array(partition),
  refused: z.array(
    z.object({ topic: z.string(), code: z.string(), why: z.string(), try: z.array(z.string()) }),
  ),
  groups,
  inventory,
}

/** `kmig mirror --plan --json`. */
export const planShape = {
  name: z.string(),
  source: side,
  target: side,
  stateTopic: z.string(),
  holes: z.object({
    policy: z.enum(['auto', 'identical', 'translated']),
    limitMs: z.number(),
    msPerHole: z.number(),
    msPerOffset: z.number(),
  }),
  warnings: z.array(z.string()),
  cutover: z.object({ run: z.string(), at: z.string() }).optional(),
  inventory: inventory.optional(),
  topics: z.array(
    z.object({
      topic: z.string(),
      sourceId: z.string(),
      targetId: z.string().optional(),
      action: z.enum(['create', 'adopt', 'resume', 'grow', 'recover', 'refuse']),
      why: z.string().optional(),
      code: z.string().optional(),
      try: z.array(z.string()).optional(),
      replicationFactor: z.number(),
      sourceReplicationFactor: z.number(),
      compacts: z.boolean().optional(),
      configs: z.object({
        final: z.record(z.string(), z.string()),
        held: z.record(z.string(), z.string()),
        refused: z.array(z.object({ name: z.string(), value: z.string(), why: z.string() })),
      }),
      partitions: z.array(
        z.object({
          partition: z.number(),
          start: int64,
          end: int64,
          copied: int64.optional(),
          padding: int64,
          mode: z.enum(['identical', 'translated']),
          modeWhy: z.string().optional(),
          waiting: z.boolean().optional(),
        }),
      ),
    }),
  ),
}

/** `kmig offsets show --json` and `kmig offsets sync --json`. */
export const groupOffsetsShape = { name: z.string(), ...groups.shape }

/** `kmig offsets translate --json`. */
export const translateShape = {
  name: z.string(),
  topic: z.string(),
  partition: z.number(),
  mode: z.enum(['identical', 'translated']),
  modeWhy: z.string().optional(),
  translatedFrom: int64.optional(),
  copied: int64,
  end: int64,
  holes: int64,
  runs: z.number(),
  translations: z.array(
    z.object({
      offset: int64,
      kind: z.enum(['exact', 'wait', 'none']),
      at: int64.optional(),
      mirroredTo: int64.optional(),
      why: z.enum(['before-first-run', 'filler']).optional(),
    }),
  ),
}
