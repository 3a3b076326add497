import { KmigError, plural, sleep } from '../kit/index.ts'
import type { FenceDriver } from './fence-port.ts'
import type { HookPort } from './ports.ts'

/** Releasing is tried so often before the operator is called: writers stand still meanwhile. */
const TRIES = 5
const AGAIN_MS = 1_000

/**
 * The operator's own programs keep writers off and let them go on: scale to 0 and back, close and open a gateway. What
 * `fence` prints as `writers-left=N` is what it still counts; 0 proves that nobody is left, any other number that it failed.
 */
export const hookDriver = (
  side: 'old' | 'new',
  topics: readonly string[],
  hooks: HookPort,
  againMs = AGAIN_MS,
): FenceDriver => ({
  name: 'hook',
  releases: true,
  seals: true,
  probe: async () =>
    (['fence', 'unfence'] as const).flatMap(name =>
      hooks.has(name)
        ? []
        : [
            {
              severity: 'error' as const,
              what: `there is no executable hook '${name}'`,
              fix: `put one into the directory of --hooks, or stop the writers yourself: --fence manual`,
            },
          ],
    ),
  plan: async () => ({
    driver: 'hook',
    side,
    topics,
    actions: [{ effect: `hook fence (side ${side})`, inverse: `hook unfence (side ${side})` }],
    prior: null,
  }),
  engage: async () => {
    const run = await hooks.run('fence', { state: 'fencing', side })
    const left = run?.writersLeft
    if (left !== undefined && left > 0) {
      throw new KmigError(
        'STILL_WRITTEN',
        `hook fence says that ${plural(left, 'writer')} ${left === 1 ? 'is' : 'are'} left`,
        {
          try: ['see why it does not stop them, then run the same command again'],
        },
      )
    }
    return {
      evidence: [
        `hook fence ended with 0 after ${run?.ms ?? 0} ms${left === 0 ? ', writers-left=0' : ''}`,
        ...(left === undefined ? ['it did not say writers-left=0: it does not prove itself'] : []),
      ],
      writersLeft: left,
    }
  },
  release: async () => {
    for (let attempt = 1; ; attempt++) {
      try {
        await hooks.run('unfence', { state: 'release', side })
        return
      } catch (e) {
        if (attempt >= TRIES) throw e
        await sleep(againMs * attempt)
      }
    }
  },
})
