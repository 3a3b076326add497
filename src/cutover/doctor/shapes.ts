import * as z from 'zod'
import { CHECKS } from './finding.ts'

const side = z.object({ name: z.string(), clusterId: z.string() })
const id = z.enum(CHECKS)

/** What became of the checks. */
export const toldShape = {
  findings: z.array(
    z.object({
      id,
      severity: z.enum(['error', 'warning']),
      evidence: z.string(),
      fix: z.string(),
      accepted: z.boolean(),
    }),
  ),
  checks: z.array(z.object({ id, is: z.enum(['ok', 'found', 'not-checked']), why: z.string().optional() })),
}

/** `kmig doctor --json`. */
export const doctorShape = { from: side, to: side, topics: z.number(), ...toldShape }
