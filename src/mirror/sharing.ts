import { type During, isKmigError } from '../kit/index.ts'
import type { Engine } from './engine.ts'
import type { MirrorEvent } from './events.ts'
import type { Lane } from './lane.ts'
import type { Claimed, Ownership, Share } from './ownership.ts'

/** Saying that partitions are free is best effort: what is not said the next owner waits for. */
const RELEASE_MS = 5_000

export type SharingOptions = During<MirrorEvent> & {
  ownership: Ownership
  engine: Engine
  lanes: readonly Lane[]
  /** Makes the lanes of a share, from what is remembered on the target. */
  takeOn(share: Share, during: During): Promise<Lane[]>
}

export const claimOf = ({ topic, partition, acked }: Lane): Claimed => ({ topic, partition, at: acked })

/**
 * Whenever this process's lease ends, lays everything down, says which partitions are free for others, joins anew and
 * goes on with what it gets. Source: MIRROR.md 5.6.
 */
export class Sharing {
  readonly #o: SharingOptions
  readonly #leaving = new AbortController()
  readonly #loop: Promise<void>

  constructor(options: SharingOptions) {
    this.#o = options
    this.#loop = this.#run(AbortSignal.any([options.signal, this.#leaving.signal])).catch(e => {
      if (!this.#leaving.signal.aborted && !options.signal.aborted) options.engine.fail(e)
    })
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { ownership, engine, takeOn, on } = this.#o
    for (;;) {
      await ownership.lapsed(signal)
      on?.({ kind: 'lapsed', why: ownership.why })
      await this.#release(await engine.suspend(ownership.why))
      const share = await ownership.join({ signal })
      const lanes = await takeOn(share, { signal })
      await ownership.hold(lanes.map(claimOf), { signal })
      engine.resume(lanes)
      on?.({ kind: 'share', partitions: lanes.length, leads: share.leads, alone: share.alone })
    }
  }

  async #release(lanes: readonly Lane[]): Promise<void> {
    const signal = AbortSignal.timeout(RELEASE_MS)
    try {
      await this.#o.ownership.release(lanes.map(claimOf), { signal })
    } catch (e) {
      if (!isKmigError(e) && !signal.aborted) throw e
    }
  }

  /** Gives everything back, once the engine has stopped: other processes go on at once. */
  async end(): Promise<void> {
    if (this.#leaving.signal.aborted) return
    this.#leaving.abort()
    await this.#loop
    const { ownership, lanes } = this.#o
    if (!ownership.holds) return
    await this.#release(lanes.filter(lane => lane.flying === 0))
    try {
      await ownership.leave({ signal: AbortSignal.timeout(RELEASE_MS) })
    } catch {
      // its session ends by itself
    }
  }
}
