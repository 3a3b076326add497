import type { Reached } from './compare.ts'
import { type KeptDigests, SideDigest } from './digest.ts'
import type { Extent, How } from './extent.ts'
import type { Walk } from './walk.ts'

/** The digests of both sides while they are made. */
export type Digesting = {
  source: SideDigest
  target: SideDigest
  /** Digests again what an earlier run had compared behind its last whole windows; then the comparison goes on. */
  begin(source: Walk, target: Walk, reached: Reached): Promise<void>
}

/**
 * Goes on behind the whole windows of an earlier run. If what is behind them is deleted by now, the digests begin anew
 * where the logs do; undefined where they can't, as nothing tells which records of both sides belong together.
 */
export const digestsOf = (
  how: How,
  { source, target }: Extent,
  earlier?: { kept: KeptDigests | undefined } | undefined,
): Digesting | undefined => {
  const by = how === 'identical' ? 'offset' : 'ordinal'
  const anew = { source: { from: source.from, windows: [] }, target: { from: target.from, windows: [] } }
  const begun = (kept: KeptDigests) => ({
    source: new SideDigest(by, kept.source),
    target: new SideDigest(by, kept.target),
  })
  if (how === 'any' && earlier && !earlier.kept) return undefined
  let digests = begun(earlier?.kept ?? anew)
  if (digests.source.next < source.from || digests.target.next < target.from) {
    if (how === 'any') return undefined
    digests = begun(anew)
  }
  return {
    ...digests,
    async begin(ours, theirs, reached) {
      ours.digest = digests.source
      theirs.digest = digests.target
      await Promise.all([ours.digestTo(reached.source), theirs.digestTo(reached.target)])
      for (const [walk, at] of [
        [ours, reached.source],
        [theirs, reached.target],
      ] as const) {
        if (walk.trimmedTo === undefined) continue
        if (walk.trimmedTo <= at) walk.trimmedTo = undefined
        ours.digest = theirs.digest = undefined // part of what an earlier run compared is gone
      }
    },
  }
}
