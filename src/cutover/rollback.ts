import type { Written } from '../discovery/index.ts'
import { type During, isKmigError, KmigError } from '../kit/index.ts'
import { type BackOptions, goBack } from './back.ts'
import { standingTexts } from './standing.ts'
import {
  type BackState,
  type GroupsMoved,
  type In,
  isBack,
  isSwitched,
  type State,
  type SwitchedName,
} from './states.ts'
import { writtenOn } from './uncopied.ts'

/**
 * `lost`: what is on the new cluster only, by consent. `undone`: what could not be done, as that cluster was gone.
 * `standing`: what still keeps writers off it.
 */
export type RolledBack = {
  already: boolean
  files: Written
  groups: GroupsMoved
  lost: readonly string[]
  undone: readonly string[]
  standing: readonly string[]
}
export type RollbackOptions = BackOptions & During

/**
 * Puts the old world back. Clients that were let in may write to the new cluster at any moment, whatever a look has shown:
 * they are kept off and that is proved first, then what they wrote is copied back (`goBack`). Without a copy back it is
 * ROLLBACK_REFUSED once they have written. Doing it again after a crash goes on; on a run that was rolled back it changes
 * nothing.
 */
export const rollBack = async (options: RollbackOptions): Promise<RolledBack> => {
  const { run, ports, lossy } = options
  const { last } = run
  if (last?.at === 'rolled-back') return wasRolledBack(last)
  const from = backFrom(run.id, last)
  if (isBack(from)) return await goBack(from, options)
  // a crash may have left the files anyhow; those that somebody has edited since are not kmig's
  if (!isSwitched(last))
    await ports.discovery.commit(from.plan).catch(e => {
      if (!isKmigError(e, 'DISCOVERY_CONFLICT')) throw e
    })
  const written = (ports.reverse && from.reverse) || lossy ? undefined : await writtenOn(ports, from)
  if (written) {
    if (!isSwitched(last)) await run.append(from, ports.clock.wall())
    throw written
  }
  return await goBack(from, options)
}

export const wasRolledBack = (last: In<'rolled-back'>): RolledBack => {
  const { plan, groups, lost, undone } = last
  return {
    already: true,
    files: { changed: [], already: plan.files.map(file => file.path) },
    groups,
    lost: lost ?? [],
    undone: undone ?? [],
    standing: standingTexts(last),
  }
}

/** Where a way back begins, or goes on. Throws USAGE, WRONG_STATE where there is nothing to take back. */
export const backFrom = (id: string, last: State | undefined): In<SwitchedName> | BackState => {
  if (isBack(last) || isSwitched(last)) return last
  if (last?.at === 'switching' || last?.at === 'files-written')
    return { ...last, at: 'opening', stranded: [] }
  throw nothingToTakeBack(id, last)
}

const nothingToTakeBack = (id: string, last: State | undefined): KmigError =>
  last?.at === 'complete' || last?.at === 'completing'
    ? new KmigError(
        'WRONG_STATE',
        `run ${id} is ${last.at}: nothing was copied back since, so there is no way back`,
      )
    : new KmigError(
        'USAGE',
        `run ${id} is ${last?.at ?? 'empty'}: it has written no file, so there is nothing to take back`,
        {
          try: [
            'kmig cutover status, then name the run with --run',
            'kmig cutover abort ends a run that goes on',
          ],
        },
      )
