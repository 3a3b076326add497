import { Mirror } from './mirror.ts'
import type { MirrorOptions } from './options.ts'
import { START_MS } from './patience.ts'
import type { MirrorReport } from './report.ts'

/**
 * Copies until the copy has caught up, or follows until the signal is aborted. An abort is a clean end, not an error:
 * what is under way lands, positions are kept, and the report says how far it came.
 */
export const runMirror = async (
  options: MirrorOptions & { untilCaughtUp: boolean },
): Promise<MirrorReport> => {
  const { signal, untilCaughtUp } = options
  await using mirror = await Mirror.open({ patienceMs: START_MS, ...options, own: true })
  await mirror.start({ partial: true })
  try {
    if (untilCaughtUp) {
      await mirror.caughtUp()
      await mirror.syncGroups()
      await mirror.syncInventory()
    } else await mirror.follow()
  } catch (e) {
    if (!signal.aborted) throw e
  }
  await mirror.stopLanes()
  return mirror.report()
}
