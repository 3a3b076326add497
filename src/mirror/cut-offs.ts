import { KmigError, type Offset } from '../kit/index.ts'
import type { Lane } from './lane.ts'
import type { Sent } from './outlet.ts'

/** Fewer can be an accident. */
const TELL_EVERY = 5

/**
 * Counts how often the connection to the target ended at the same batch. A broker ends it without a word where a request
 * is larger than it takes; where its settings can't be read, this is all that there is to see.
 */
export class CutOffs {
  readonly #seen = new Map<Lane, { base: Offset; times: number }>()

  /** These were under way when their connection ended; gives what to tell. */
  count(sent: readonly Sent[]): { where: string; error: KmigError } | undefined {
    const bytes = sent.reduce((sum, { piece }) => sum + piece.bytes.length, 0)
    const counts = sent.map(({ lane, piece: { base } }) => {
      const before = this.#seen.get(lane)
      const times = before?.base === base ? before.times + 1 : 1
      this.#seen.set(lane, { base, times })
      return { where: lane.where, base, times }
    })
    const again = counts.find(({ times }) => times % TELL_EVERY === 0)
    if (!again) return undefined
    const { where, base, times } = again
    const what = `the target has ended the connection ${times} times at a request of ${bytes} bytes from offset ${base} on`
    const error = new KmigError('DISCONNECTED', `${what}: is that more than its socket.request.max.bytes?`)
    return { where, error }
  }
}
