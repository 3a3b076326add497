import type { Socket } from 'node:net'

/** What waits to be delivered: bytes, the sender's FIN, or its RST. */
export type Parcel = { dueMs: number } & (
  | { kind: 'bytes'; bytes: Buffer }
  | { kind: 'end' }
  | { kind: 'reset' }
)

/** One direction of one connection: takes what the source sends and holds it until its lane delivers it. */
export class Pipe {
  readonly parcels: Parcel[] = []
  /** Bytes in `parcels`. */
  held = 0
  #source: Socket
  #sink: Socket
  #lastDueMs = 0
  constructor(source: Socket, sink: Socket) {
    this.#source = source
    this.#sink = sink
  }

  /** Nothing overtakes what came before it. */
  add(parcel: Parcel, limit: number): void {
    parcel.dueMs = this.#lastDueMs = Math.max(this.#lastDueMs, parcel.dueMs)
    this.parcels.push(parcel)
    if (parcel.kind === 'bytes') this.held += parcel.bytes.length
    if (this.held >= limit) this.#source.pause()
  }

  /** Whether there is something to deliver and the sink takes it now. */
  get ready(): boolean {
    return this.parcels.length > 0 && !this.#sink.writableNeedDrain && !this.#sink.destroyed
  }

  /** Delivers at most `most` bytes of the first parcel; returns how many. */
  deliver(most: number, limit: number): number {
    const first = this.parcels[0]
    if (first?.kind !== 'bytes' || first.bytes.length <= most) this.parcels.shift()
    if (first?.kind === 'reset') this.#sink.resetAndDestroy()
    if (first?.kind === 'end') this.#sink.end()
    if (first?.kind !== 'bytes') return 0
    const piece = first.bytes.subarray(0, most)
    first.bytes = first.bytes.subarray(piece.length)
    this.#sink.write(piece)
    this.held -= piece.length
    if (this.held < limit && this.#source.isPaused()) this.#source.resume()
    return piece.length
  }

  reset(): void {
    this.#source.resetAndDestroy()
    this.#sink.resetAndDestroy()
  }
}
