import { countBelow, type ZkSession } from '../zookeeper/index.ts'
import type { ZkCopyOptions } from './options.ts'
import type { WalkOptions } from './walk.ts'

const PROGRESS_MS = 200
/** Before so much is read, how long the rest will take is a guess not worth telling. */
const ETA_FROM = 0.02

/** Tells where the work stands, a few times a second; how much there is, if the servers can count it. */
export const telling = (
  { on }: ZkCopyOptions,
  { plan, source, counts }: { plan: WalkOptions; source: ZkSession; counts: boolean },
): Disposable => {
  const { tally, from } = plan
  const startedAt = performance.now()
  let total: number | undefined
  if (counts) {
    source.call(countBelow, { path: from.root }).then(
      ({ value }) => {
        if (value !== undefined) total = value + 1
      },
      () => {}, // a lost connection is told by what needs it
    )
  }
  const tell = (): void => {
    const { scanned, created, updated, unchanged } = tally
    const part = total === undefined ? 0 : scanned / total
    const etaMs =
      part >= ETA_FROM && part < 1 ? Math.round((performance.now() - startedAt) * (1 / part - 1)) : undefined
    on?.({ kind: 'progress', scanned, created, updated, unchanged, total, etaMs })
  }
  const timer = setInterval(tell, PROGRESS_MS)
  return {
    [Symbol.dispose]() {
      clearInterval(timer)
      tell()
    },
  }
}
