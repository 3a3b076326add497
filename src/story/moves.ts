import { Cutover, type CutoverReport, type RollbackReport, takeBack } from '../cutover/index.ts'
import type { During } from '../kit/index.ts'
import { kafkaChroot, type Side, type World } from './world.ts'

/** How long the old cluster's log ends must stand still. Real cutovers take the default, 10 s. */
export const STILL_MS = 3_000

const sideOf = (side: Side) => ({
  name: side.name,
  bootstrap: side.bootstrap,
  zookeeper: kafkaChroot(side),
})

/** What `kmig cutover --discovery DIR --execute` does; `on` is told each state that it enters. */
export const cutOver = async (
  { old, next, discovery, state }: World,
  { wayBack, signal, on }: During<string> & { wayBack?: boolean | undefined },
): Promise<CutoverReport> => {
  await using cutover = await Cutover.open({
    from: sideOf(old),
    to: sideOf(next),
    discovery,
    stateDir: state,
    stillForMs: STILL_MS,
    wayBack,
    signal,
    on: event => {
      if (event.kind === 'state') on?.(event.state.at)
    },
  })
  return await cutover.execute()
}

/** What `kmig cutover rollback` does. */
export const goBack = async ({ state }: World, { signal }: During): Promise<RollbackReport> =>
  await takeBack({ stateDir: state, signal })
