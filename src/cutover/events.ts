import type { MirrorEvent } from '../mirror/index.ts'
import type { HookRun, LaggingGroup } from './ports.ts'
import type { Watch } from './run-directory.ts'
import type { State } from './states.ts'

export type CutoverEvent =
  | { kind: 'state'; run: string; state: State }
  | { kind: 'mirror'; event: MirrorEvent }
  /** Live groups on the old cluster that are waited for. */
  | { kind: 'readers'; lagging: LaggingGroup[] }
  /** The gate is closed: the run waits before the fence. */
  | { kind: 'gate'; why: string }
  | { kind: 'hook'; hook: HookRun }
  /** Records that are still to be copied back. */
  | { kind: 'back'; records: bigint }
  | { kind: 'watch'; watch: Watch }
  | { kind: 'drift'; found: readonly string[] }
