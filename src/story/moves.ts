import {
  Cutover,
  type CutoverOptions,
  type CutoverReport,
  type RollbackReport,
  takeBack,
} from '../cutover/index.ts'
import type { During } from '../kit/index.ts'
import { kafkaChroot, type Side, type World } from './world.ts'

/** How long the old cluster's log ends must stand still where nobody proves the fence. Real cutovers take the default, 10 s. */
const STILL_MS = 3_000

const sideOf = (side: Side) => ({
  name: side.name,
  bootstrap: side.bootstrap,
  zookeeper: kafkaChroot(side),
})

/** What `kmig cutover --discovery DIR --execute` does, with `hooks` behind a fence of them; `on` is told each state. */
export const cutOver = async (
  { old, next, discovery, state }: World,
  { hooks, wayBack, signal, on }: During<string> & Partial<Pick<CutoverOptions, 'hooks' | 'wayBack'>>,
): Promise<CutoverReport> => {
  await using cutover = await Cutover.open({
    from: sideOf(old),
    to: sideOf(next),
    discovery,
    stateDir: state,
    stillForMs: hooks === undefined ? STILL_MS : undefined,
    hooks,
    wayBack,
    signal,
    on: event => {
      if (event.kind === 'state') on?.(event.state.at)
    },
  })
  return await cutover.execute()
}

/** What `kmig cutover rollback` does. */
export const goBack = async ({ state }: World, { signal, on }: During<string>): Promise<RollbackReport> =>
  await takeBack({
    stateDir: state,
    signal,
    on: event => {
      if (event.kind === 'state') on?.(event.state.at)
    },
  })
