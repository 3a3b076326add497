import { KmigError } from '../kit/index.ts'
import type { FramePool } from './frame-pool.ts'

/** No answer is larger; four ASCII bytes read as a length are. */
const MAX_FRAME_BYTES = 0x1fffffff
/** The first answer lists versions; a TLS alert read as a length is larger. */
const MAX_FIRST_BYTES = 1 << 20

/** While a frame lacks more than this, the socket reads straight into it. */
const DIRECT_BYTES = 64 * 1024

/**
 * Cuts a byte stream into frames (int32 length, body). Each body has memory of its own (from the pool, if there is one),
 * so that views of it stay valid; big ones are read into their place and never copied. Throws PROTOCOL for a length that no
 * broker sends.
 */
export class Frames {
  #onFrame: (body: Buffer) => void
  #scratch: Buffer
  #pool: FramePool | undefined
  #head = Buffer.alloc(4)
  #headBytes = 0
  #body: Buffer | undefined
  #bodyBytes = 0
  #maxBytes = MAX_FIRST_BYTES
  constructor(scratch: Buffer, onFrame: (body: Buffer) => void, pool?: FramePool | undefined) {
    this.#pool = pool
    this.#scratch = scratch
    this.#onFrame = onFrame
  }

  /** Where the next bytes are to be read to; hand them to `push` before asking again. */
  room(): Buffer {
    const body = this.#body
    if (!body || body.length - this.#bodyBytes < DIRECT_BYTES) return this.#scratch
    return body.subarray(this.#bodyBytes)
  }

  /** Takes bytes, which may lie in what `room` gave. */
  push(chunk: Buffer): void {
    if (this.#body && chunk.buffer === this.#body.buffer) {
      this.#filled(this.#body, chunk.length)
      return
    }
    for (let at = 0; at < chunk.length; ) {
      if (this.#body) {
        const part = Math.min(this.#body.length - this.#bodyBytes, chunk.length - at)
        chunk.copy(this.#body, this.#bodyBytes, at, at + part)
        at += part
        this.#filled(this.#body, part)
      } else {
        const part = Math.min(4 - this.#headBytes, chunk.length - at)
        chunk.copy(this.#head, this.#headBytes, at, at + part)
        this.#headBytes += part
        at += part
        if (this.#headBytes < 4) return
        this.#body = this.#pool?.take(this.#bodyLength()) ?? Buffer.allocUnsafeSlow(this.#bodyLength())
        this.#bodyBytes = 0
      }
    }
  }

  #filled(body: Buffer, bytes: number): void {
    this.#bodyBytes += bytes
    if (this.#bodyBytes < body.length) return
    this.#body = undefined
    this.#headBytes = 0
    this.#maxBytes = MAX_FRAME_BYTES
    this.#onFrame(body)
  }

  #bodyLength(): number {
    const length = this.#head.readInt32BE(0)
    if (length >= 4 && length <= this.#maxBytes) return length
    const text = this.#head.toString('latin1').replaceAll(/[^ -~]/g, '.')
    throw new KmigError(
      'PROTOCOL',
      `an answer claims a length of ${length} bytes (its first are '${text}')`,
      {
        try: ['check that the address is a Kafka listener, and which security protocol it speaks'],
      },
    )
  }
}
