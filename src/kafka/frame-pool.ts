/** Smaller frames are left to the garbage collector. */
const POOLED_FROM = 256 << 10
/** Sizes are rounded up to this, so that answers of about one size share memory. */
const STEP_BYTES = 1 << 20
/** A frame may take a free piece that is this much larger. */
const WASTE = 8
/** Free memory that is kept, unless told otherwise. */
const KEPT_BYTES = 48 << 20

/**
 * Memory of large answers, used again. Without it every answer's memory is new to the process (page faults) and the
 * collector runs for it at every few tens of MB: a third of a mirror's CPU, measured. Whoever reads an answer gives its
 * frame back once nothing refers to it; a frame that is never given back is merely collected. The last one is taken first:
 * it is still in the processor's cache.
 */
export class FramePool {
  #free: ArrayBuffer[] = []
  #bytes = 0
  readonly #keptBytes: number
  constructor(keptBytes = KEPT_BYTES) {
    this.#keptBytes = keptBytes
  }

  take(bytes: number): Buffer {
    if (bytes < POOLED_FROM) return Buffer.allocUnsafeSlow(bytes)
    const at = this.#free.findLastIndex(
      ({ byteLength }) => byteLength >= bytes && byteLength <= bytes * WASTE,
    )
    const [found] = at < 0 ? [] : this.#free.splice(at, 1)
    if (found) this.#bytes -= found.byteLength
    return Buffer.from(found ?? fresh(bytes), 0, bytes)
  }

  /** Nobody may read the frame any more. Throws nothing for memory that is not of a pool. */
  give(frame: ArrayBuffer): void {
    if (frame.byteLength < POOLED_FROM || frame.byteLength > this.#keptBytes) return
    this.#free.push(frame)
    this.#bytes += frame.byteLength
    // what nobody took for longest goes: answers grow, and frames that are too small now must not keep out those that fit
    while (this.#bytes > this.#keptBytes) this.#bytes -= this.#free.shift()?.byteLength ?? 0
  }
}

const fresh = (bytes: number): ArrayBuffer =>
  Buffer.allocUnsafeSlow(Math.ceil(bytes / STEP_BYTES) * STEP_BYTES).buffer
