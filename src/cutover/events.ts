import type { MirrorEvent, ReadersSight } from '../mirror/index.ts'
import type { HookRun, LaggingGroup } from './ports.ts'
import type { Stranded } from './reverse-port.ts'
import type { Watch } from './run-directory.ts'
import type { State } from './states.ts'

/** `why`: what else it waits for than its members. */
export type ReadersAwaited = ReadersSight & { why: string | undefined }

export type CutoverEvent =
  | { kind: 'state'; run: string; state: State }
  | { kind: 'mirror'; event: MirrorEvent }
  /** Live groups on the old cluster that are waited for. */
  | { kind: 'readers'; lagging: LaggingGroup[] }
  /** Groups that move before the fence, and are waited for. */
  | { kind: 'readers-first'; waiting: ReadersAwaited[] }
  /** The gate is closed: the run waits before the fence. */
  | { kind: 'gate'; why: string }
  | { kind: 'hook'; hook: HookRun }
  /** Records that are still to be copied back. */
  | { kind: 'back'; records: bigint }
  | { kind: 'watch'; watch: Watch }
  /** What was stranded, and is on the new cluster now. */
  | { kind: 'carried'; carried: readonly Stranded[] }
  | { kind: 'drift'; found: readonly string[] }
