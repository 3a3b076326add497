import { join } from 'node:path'
import type { Mirror } from '../mirror/index.ts'

/** One cutover, rollback or watchdog of a mirror at a time. */
export const lockOf = (stateDir: string, { target, name }: Pick<Mirror, 'target' | 'name'>): string =>
  lockNamed(stateDir, target.clusterId, name)
export const lockNamed = (stateDir: string, targetId: string, name: string): string =>
  join(stateDir, 'locks', `${targetId}.${name}.cutover.lock`)
