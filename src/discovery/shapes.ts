import * as z from 'zod'

const spot = { path: z.string(), line: z.number(), column: z.number() }
const findings = z.array(
  z.object({ ...spot, severity: z.enum(['error', 'warning']), rule: z.string(), message: z.string() }),
)
const mentions = z.array(z.object({ ...spot, host: z.string() }))
const written = z.object({ changed: z.array(z.string()), already: z.array(z.string()) })
const commit = z
  .object({ commit: z.string(), branch: z.string(), paths: z.array(z.string()) })
  .optional()
  .describe('absent: nothing was left to commit, or --git was not given')
const value = z.union([z.string(), z.array(z.string()), z.null()]).describe('null: the entry is not there')

/** `kmig discovery lint --json`. */
export const lintShape = {
  root: z.string(),
  files: z.number(),
  entries: z.number(),
  errors: z.number(),
  warnings: z.number(),
  findings,
  fixed: z
    .object({
      diff: z.string(),
      written,
      refused: z.array(z.object({ path: z.string(), why: z.string() })),
    })
    .optional(),
}

/** `kmig discovery show --json`. */
export const showShape = {
  lookup: z.object({
    directories: z.array(
      z.object({ path: z.string(), why: z.string(), found: z.boolean(), types: z.array(z.string()) }),
    ),
    types: z.array(
      z.object({
        type: z.string(),
        hits: z.array(z.string()),
        byName: z.string().describe('the last directory wins where a type is asked for by name'),
        inList: z.string().describe('the first directory wins in the list of all types'),
      }),
    ),
    withoutType: z.string().optional(),
  }),
  entries: z.array(
    z.object({
      file: z.string(),
      line: z.number(),
      type: z.string(),
      cluster: z.string(),
      dialect: z.enum(['current', 'older']),
      brokers: z.array(z.string()),
      zookeeper: z.string().optional(),
      names: z.enum(['old', 'new', 'neither']).optional(),
    }),
  ),
  mentions,
  findings,
}

/** `kmig discovery set --json`. */
export const setShape = {
  root: z.string(),
  edits: z.array(
    z.object({
      file: z.string(),
      path: z.string().describe('clusters.<name>.<key> or local_config.cluster'),
      range: z.tuple([z.number(), z.number()]).describe('bytes of the file as it was'),
      before: value,
      after: value,
      shaBefore: z.string(),
      shaAfter: z.string(),
    }),
  ),
  entries: z.array(
    z.object({
      path: z.string(),
      line: z.number(),
      type: z.string(),
      cluster: z.string(),
      is: z.enum(['change', 'already']),
    }),
  ),
  mentions,
  findings,
  diff: z.string(),
  blockers: z.array(z.string()),
  unfinished: z.boolean(),
  planSha: z.string(),
  executed: z
    .object({
      run: z.string(),
      journal: z.string(),
      recovered: z.enum(['nothing', 'finished', 'undone']),
      written,
      commit,
    })
    .optional(),
}

/** `kmig discovery set --revert --json`. */
export const revertShape = { root: z.string(), run: z.string(), written, commit }
