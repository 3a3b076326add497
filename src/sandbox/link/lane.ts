import type { Socket } from 'node:net'
import { type Parcel, Pipe } from './pipe.ts'
import { CLEAR, type Shape } from './shape.ts'

/** A timer may fire this late without the rate falling below what was asked. */
const BURST_MS = 20
/** Share of a second that one piece takes of a limited rate: small, so that connections take turns. */
const TURN_MS = 5

/** One direction of a link: all its connections share the delay, the rate and the cut. */
export class Lane {
  bytes = 0
  #shape: Shape = CLEAR
  #pipes = new Set<Pipe>()
  #random: () => number
  #freeMs = 0
  #resetAt = Number.POSITIVE_INFINITY
  #timer: NodeJS.Timeout | undefined
  constructor(random: () => number) {
    this.#random = random
  }

  get held(): number {
    return [...this.#pipes].reduce((sum, pipe) => sum + pipe.held, 0)
  }

  change(change: Partial<Shape>): void {
    this.#shape = { ...this.#shape, ...change }
    this.#pump()
  }

  /** The connection that carries the byte after `bytes` more ends by RST. */
  resetAfter(bytes: number): void {
    this.#resetAt = this.bytes + bytes
  }

  join(source: Socket, sink: Socket): void {
    const pipe = new Pipe(source, sink)
    this.#pipes.add(pipe)
    const add = (parcel: Parcel) => {
      pipe.add(parcel, this.#shape.inFlightBytes)
      this.#pump()
    }
    source.on('data', bytes => add({ kind: 'bytes', bytes, dueMs: this.#due() }))
    source.on('end', () => add({ kind: 'end', dueMs: this.#due() }))
    source.on('error', () => add({ kind: 'reset', dueMs: this.#due() }))
    sink.on('drain', () => this.#pump())
    sink.on('close', () => this.#pipes.delete(pipe))
  }

  #due(): number {
    return performance.now() + this.#shape.delayMs + this.#shape.jitterMs * this.#random()
  }

  /** Delivers what is due, one piece of each connection in turn, and sleeps until more is. */
  #pump(): void {
    clearTimeout(this.#timer)
    if (this.#shape.cut) return
    for (let wait = 0; wait === 0; ) {
      const now = performance.now()
      const ready = [...this.#pipes].filter(pipe => pipe.ready)
      const due = ready.filter(pipe => (pipe.parcels[0]?.dueMs ?? 0) <= now)
      for (const pipe of due) if (this.#freeMs <= now) this.#deliver(pipe, now)
      wait = due.length > 0 ? Math.max(0, this.#freeMs - now) : this.#untilDue(ready, now)
      if (wait > 0 && wait !== Number.POSITIVE_INFINITY) {
        this.#timer = setTimeout(() => this.#pump(), Math.max(1, wait))
      }
    }
  }

  #untilDue(ready: readonly Pipe[], now: number): number {
    const dues = ready.map(pipe => pipe.parcels[0]?.dueMs ?? 0)
    return Math.max(0.01, Math.min(...dues) - now)
  }

  #deliver(pipe: Pipe, now: number): void {
    const { bytesPerSecond, sliceBytes, inFlightBytes } = this.#shape
    const turn = Math.max(1, Math.floor((bytesPerSecond * TURN_MS) / 1000))
    const toReset = this.#resetAt - this.bytes
    const sent = toReset > 0 ? pipe.deliver(Math.min(turn, sliceBytes, toReset), inFlightBytes) : 0
    this.bytes += sent
    this.#freeMs = Math.max(this.#freeMs, now - BURST_MS) + (1000 * sent) / bytesPerSecond
    if (this.bytes < this.#resetAt) return
    this.#resetAt = Number.POSITIVE_INFINITY
    pipe.reset()
  }
}
