import type { Env } from '../config/index.ts'
import type { During } from '../kit/index.ts'
import type { CutoverEvent } from './events.ts'
import { hookPort } from './hooks.ts'
import type { HookPort } from './ports.ts'
import type { Run, RunSubject } from './run-directory.ts'

export const HOOK_TIMEOUT_MS = 30_000

export type RunHooksOptions = During<CutoverEvent> & {
  directory: string | undefined
  /** Default 30000. */
  timeoutMs?: number | undefined
  env: Env
}

/** The operator's programs, as a run starts them: each time is journaled and told. */
export const runHooks = (
  run: Run,
  { directory, timeoutMs = HOOK_TIMEOUT_MS, env, signal, on }: RunHooksOptions,
): HookPort =>
  hookPort({
    ...{ directory, timeoutMs, env, signal },
    vars: hookVars({ run: run.id, subject: run.header }, run.directory),
    ran: async hook => {
      await run.note({ kind: 'hook', hook })
      on?.({ kind: 'hook', hook })
    },
  })

/** What hooks are told by their environment. */
export const hookVars = (
  { run, subject: { from, to, discovery, mirror } }: { run: string; subject: RunSubject },
  directory: string,
): Record<string, string> => ({
  KMIG_RUN: run,
  KMIG_RUN_DIR: directory,
  KMIG_DISCOVERY: discovery,
  KMIG_MIRROR: mirror,
  KMIG_OLD: from.name,
  KMIG_OLD_BOOTSTRAP: from.bootstrap.join(','),
  KMIG_NEW: to.name,
  KMIG_NEW_BOOTSTRAP: to.bootstrap.join(','),
})
