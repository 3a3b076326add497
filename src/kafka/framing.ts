import { KmigError } from '../kit/index.ts'

/** No answer is larger; four ASCII bytes read as a length are. */
const MAX_FRAME_BYTES = 0x1fffffff
/** The first answer lists versions; a TLS alert read as a length is larger. */
const MAX_FIRST_BYTES = 1 << 20

/**
 * Cuts a byte stream into frames (int32 length, body). Each body is one fresh Buffer, filled by one copy, so that views of
 * it stay valid. Throws PROTOCOL for a length that no broker sends.
 */
export class Frames {
  #onFrame: (body: Buffer) => void
  #head = Buffer.alloc(4)
  #headBytes = 0
  #body: Buffer | undefined
  #bodyBytes = 0
  #maxBytes = MAX_FIRST_BYTES
  constructor(onFrame: (body: Buffer) => void) {
    this.#onFrame = onFrame
  }

  push(chunk: Buffer): void {
    let at = 0
    while (at < chunk.length) {
      if (!this.#body) {
        const part = Math.min(4 - this.#headBytes, chunk.length - at)
        chunk.copy(this.#head, this.#headBytes, at, at + part)
        this.#headBytes += part
        at += part
        if (this.#headBytes < 4) return
        this.#body = Buffer.allocUnsafeSlow(this.#bodyLength())
        this.#bodyBytes = 0
        continue
      }
      const part = Math.min(this.#body.length - this.#bodyBytes, chunk.length - at)
      chunk.copy(this.#body, this.#bodyBytes, at, at + part)
      this.#bodyBytes += part
      at += part
      if (this.#bodyBytes < this.#body.length) return
      const body = this.#body
      this.#body = undefined
      this.#headBytes = 0
      this.#maxBytes = MAX_FRAME_BYTES
      this.#onFrame(body)
    }
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
