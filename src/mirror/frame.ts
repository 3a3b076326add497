import type { FramePool, Hole, Piece } from '../kafka/index.ts'

/** A frame of which less than this part is used is not held for it: what is used is copied. */
const WORTH_HOLDING = 1 / 4

/** The memory of one answer: it goes back to the pool when the last batch that lies in it has landed. */
export class Frame {
  readonly #pool: FramePool
  readonly #pieces: Piece[] = []
  #users = 1
  memory: ArrayBufferLike | undefined

  constructor(pool: FramePool) {
    this.#pool = pool
  }

  /** These may lie in it. */
  hold(items: readonly (Piece | Hole)[]): void {
    for (const item of items)
      if (item.kind === 'piece' && item.bytes.buffer === this.memory) this.#pieces.push(item)
  }

  /** The answer has been read, and nothing of it was sent yet: few small batches must not keep a large frame. */
  read(): void {
    const used = this.#pieces.reduce((sum, { bytes }) => sum + bytes.length, 0)
    if (used < (this.memory?.byteLength ?? 0) * WORTH_HOLDING)
      for (const piece of this.#pieces) piece.bytes = Buffer.from(piece.bytes)
    else
      for (const piece of this.#pieces) {
        this.#users++
        piece.done = () => this.#close()
      }
    this.#close()
  }

  #close(): void {
    if (--this.#users === 0 && this.memory instanceof ArrayBuffer) this.#pool.give(this.memory)
  }
}
