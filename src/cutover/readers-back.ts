import type { During } from '../kit/index.ts'
import type { CutoverEvent } from './events.ts'
import { type OpenRunOptions, openRun } from './open-run.ts'
import { bringReadersBack } from './readers.ts'
import type { State } from './states.ts'

/**
 * Brings readers back that an aborted run has left on the new cluster, whichever run has moved them. Goes on after a crash.
 * Gives the run's last state.
 */
export const abortedBack = async (
  options: OpenRunOptions & During<CutoverEvent> & { run: string },
): Promise<State | undefined> => {
  const { signal, on } = options
  await using opened = await openRun('abort', { ...options, patient: true })
  const { run, ports } = opened
  const { last } = run
  if (last?.at !== 'aborted') return last
  const { readers, ...rest } = last
  await bringReadersBack({
    ...{ ports, signal, on, state: last.at, readers: readers ?? { moved: [] } },
    left: async still => await run.append({ ...rest, ...(still && { readers: still }) }, ports.clock.wall()),
  })
  return run.last
}
