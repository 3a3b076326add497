import * as z from 'zod'

/** The schema of a command's JSON: what each has, and the command's own fields. No others: an unknown field is a bug. */
export const envelope = <Shape extends z.ZodRawShape>(shape: Shape) =>
  z.strictObject({
    schemaVersion: z.int().positive(),
    command: z.string(),
    ok: z.boolean().describe('true exactly when the exit code is 0'),
    stoppedBy: z.string().optional().describe('the signal that ended the work'),
    ...shape,
  })

/** A 64-bit number, as it leaves kmig. */
export const int64 = z.string().regex(/^-?\d+$/)
