import type { MirrorEvent } from '../mirror/index.ts'
import type { LaggingGroup } from './ports.ts'
import type { State } from './states.ts'

export type CutoverEvent =
  | { kind: 'state'; run: string; state: State }
  | { kind: 'mirror'; event: MirrorEvent }
  /** Live groups on the old cluster that are waited for. */
  | { kind: 'readers'; lagging: LaggingGroup[] }
