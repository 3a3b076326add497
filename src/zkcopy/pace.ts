import { sleep } from '../kit/index.ts'

/** Waits until so many more operations may go out, in the order of the calls. */
export type Pace = (operations: number, signal: AbortSignal) => Promise<void>

/** At most `perSecond` operations a second, evenly spread; undefined is no limit. */
export const paced = (perSecond: number | undefined): Pace => {
  let freeAt = 0
  let turn: Promise<void> = Promise.resolve()
  return (operations, signal) => {
    if (perSecond === undefined) return Promise.resolve()
    const mine = turn.then(async () => {
      const waitMs = freeAt - performance.now()
      if (waitMs > 0) await sleep(waitMs, signal)
      freeAt = Math.max(freeAt, performance.now()) + (operations * 1_000) / perSecond
    })
    turn = mine.catch(() => {}) // its own caller is told
    return mine
  }
}
