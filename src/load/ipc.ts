import { deferred } from '../kit/index.ts'
import type { FromWorker, ToWorker } from './stress-messages.ts'

/** The parent of this process, by the IPC channel that it opened: what it says, until it is gone, and a way to answer. */
export const parentOf = (
  me: NodeJS.Process,
): { orders: AsyncGenerator<ToWorker, void>; tell(message: FromWorker): void } => {
  const waiting: ToWorker[] = []
  let next = deferred<void>()
  let gone = !me.connected
  me.on('message', (order: ToWorker) => {
    waiting.push(order)
    next.resolve()
  })
  me.once('disconnect', () => {
    gone = true
    next.resolve()
  })
  async function* orders(): AsyncGenerator<ToWorker, void> {
    for (;;) {
      for (let order = waiting.shift(); order; order = waiting.shift()) yield order
      if (gone) return
      await next.promise
      next = deferred<void>()
    }
  }
  const tell = (message: FromWorker) => {
    if (!gone) me.send?.(message, () => {})
  }
  return { orders: orders(), tell }
}
