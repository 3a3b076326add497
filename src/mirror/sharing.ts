import { ERROR, kafkaErrorOf } from '../kafka/index.ts'
import { backoffMs, type During, isKmigError, sleep } from '../kit/index.ts'
import type { Engine } from './engine.ts'
import type { MirrorEvent } from './events.ts'
import type { Lane } from './lane.ts'
import type { Claimed, Ownership, Share } from './ownership.ts'
import { passes } from './passes.ts'

/** Saying that partitions are free is best effort: what is not said the next owner waits for. */
const RELEASE_MS = 5_000
/** That it is still no owner is told again after this. */
const TELL_AGAIN_MS = 10_000
/** The group went on while this process made ready for its share: it must join anew. */
const LEFT_BEHIND: readonly number[] = [
  ERROR.ILLEGAL_GENERATION,
  ERROR.UNKNOWN_MEMBER_ID,
  ERROR.REBALANCE_IN_PROGRESS,
  ERROR.FENCED_INSTANCE_ID,
]

export type SharingOptions = During<MirrorEvent> & {
  ownership: Ownership
  engine: Engine
  lanes: readonly Lane[]
  /** Makes the lanes of a share, from what is remembered on the target. */
  takeOn(share: Share, during: During): Promise<Lane[]>
}

export const claimOf = ({ topic, partition, acked }: Lane): Claimed => ({ topic, partition, at: acked })

const tellStrange = (share: Share, quietMs: number, on: SharingOptions['on']): void => {
  const strange = share.wheres.flatMap(where => share.heldBy(where) ?? [])
  if (strange.length === 0) return
  const by = [...new Set(strange)].join(', ')
  const text = `${strange.length} partitions were not given back by ${by}: they go on in ${quietMs / 1000} s`
  on?.({ kind: 'warning', where: 'mirror', text })
}

/**
 * Joins, makes the lanes of what it gets, and claims them: all over again where the group went on meanwhile. `patient`:
 * also where a cluster can't be asked, for as long as that lasts, as what was copied must not end by it.
 */
export const takeShare = async (
  { ownership, takeOn, on }: Pick<SharingOptions, 'ownership' | 'takeOn' | 'on'>,
  { patient, signal }: During & { patient: boolean },
): Promise<{ share: Share; lanes: Lane[] }> => {
  let toldAt = Number.NEGATIVE_INFINITY
  for (let attempt = 0; ; attempt++) {
    let share: Share | undefined
    try {
      const got = await ownership.join({ signal })
      share = got
      tellStrange(got, ownership.quietMs, on)
      const lanes = await ownership.asOwner(both => takeOn(got, { signal: both }), { signal })
      await ownership.hold(lanes.map(claimOf), { signal })
      return { share, lanes }
    } catch (e) {
      signal.throwIfAborted()
      const behind = LEFT_BEHIND.includes(kafkaErrorOf(e)?.code ?? ERROR.NONE)
      const over = share !== undefined && !ownership.holds
      if (!isKmigError(e) || !(behind || (passes(e) && (patient || over)))) throw e
      if (performance.now() - toldAt > TELL_AGAIN_MS) {
        toldAt = performance.now()
        on?.({ kind: 'warning', where: 'mirror', text: `${e.message}; it joins anew` })
      }
      await sleep(backoffMs(attempt), signal)
    }
  }
}

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
    const { ownership, engine, on } = this.#o
    for (;;) {
      await ownership.lapsed(signal)
      on?.({ kind: 'lapsed', why: ownership.why })
      await this.#release(await engine.suspend(ownership.why))
      const { share, lanes } = await takeShare(this.#o, { patient: true, signal })
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
    await this.#release(lanes.filter(lane => lane.drained))
    try {
      await ownership.leave({ signal: AbortSignal.timeout(RELEASE_MS) })
    } catch {
      // its session ends by itself
    }
  }
}
