import { KmigError } from '../kit/index.ts'

/** A reply larger than this is taken for bytes that are no ZooKeeper reply at all. */
const MAX_FRAME_BYTES = 1 << 30

/**
 * Cuts a byte stream into frames of int32 length + body. A body that came in one piece is a view of it; one that came
 * in several is put together once. Throws PROTOCOL.
 */
export class FrameSplitter {
  #held: Buffer[] = []
  #heldBytes = 0
  #wantBytes = 4

  /** The bodies that this chunk completes. */
  push(chunk: Buffer): Buffer[] {
    this.#held.push(chunk)
    this.#heldBytes += chunk.length
    if (this.#heldBytes < this.#wantBytes) return []
    const bytes = this.#held.length === 1 ? chunk : Buffer.concat(this.#held)
    const frames: Buffer[] = []
    let at = 0
    this.#wantBytes = 4
    while (bytes.length - at >= 4) {
      const length = bytes.readInt32BE(at)
      if (length < 0 || length > MAX_FRAME_BYTES)
        throw new KmigError('PROTOCOL', `a frame of ${length} bytes`)
      if (bytes.length - at < 4 + length) {
        this.#wantBytes = 4 + length
        break
      }
      frames.push(bytes.subarray(at + 4, at + 4 + length))
      at += 4 + length
    }
    this.#held = at < bytes.length ? [bytes.subarray(at)] : []
    this.#heldBytes = bytes.length - at
    return frames
  }
}
