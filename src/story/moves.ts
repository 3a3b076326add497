import {
  Cutover,
  type CutoverEvent,
  type CutoverOptions,
  type CutoverReport,
  type RollbackReport,
  takeBack,
} from '../cutover/index.ts'
import type { During } from '../kit/index.ts'
import type { Side, World } from './world.ts'

/** How long the old cluster's log ends must stand still where nobody proves the fence. Real cutovers take the default, 10 s. */
const STILL_MS = 3_000

const sideOf = ({ name, bootstrap, zookeeper, security, clientId }: Side) => ({
  ...{ name, bootstrap, zookeeper, security, clientId },
})

/** What a move is of. */
export type Scene = Pick<World, 'old' | 'next' | 'discovery' | 'state' | 'scope'>

type CutOver = During<CutoverEvent> &
  Partial<Pick<CutoverOptions, 'hooks' | 'wayBack' | 'check' | 'watchdog' | 'env' | 'toolVersion'>>

/** What `kmig cutover --discovery DIR --execute` does, with `hooks` behind a fence of them. */
export const cutOver = async (
  { old, next, discovery, state, scope }: Scene,
  options: CutOver,
): Promise<CutoverReport> => {
  await using cutover = await Cutover.open({
    ...options,
    ...scope,
    from: sideOf(old),
    to: sideOf(next),
    discovery,
    stateDir: state,
    stillForMs: options.hooks === undefined ? STILL_MS : undefined,
  })
  return await cutover.execute()
}

type GoBack = During<CutoverEvent> & Partial<Pick<CutoverOptions, 'watchdog' | 'env'>>

/** What `kmig cutover rollback` does. */
export const goBack = async ({ old, next, state }: Scene, options: GoBack): Promise<RollbackReport> =>
  await takeBack({
    ...options,
    stateDir: state,
    access: name => ({ ...sideOf([old, next].find(side => side.name === name) ?? old) }),
  })

/** Tells each state that a run enters. */
export const statesOf =
  (tell: (state: string) => void) =>
  (event: CutoverEvent): void => {
    if (event.kind === 'state') tell(event.state.at)
  }
