/** `up`: from the client to the server; `down`: back. */
export type Direction = 'up' | 'down'
export const DIRECTIONS: readonly Direction[] = ['up', 'down']

/** What one direction of a link does to the bytes; may change while connections live. */
export type Shape = {
  /** Every byte arrives this much later. A connection's own handshake is not delayed. */
  delayMs: number
  /** Up to this much more, by a seeded generator; the order is kept. */
  jitterMs: number
  /** Of all connections together; Infinity: no limit. */
  bytesPerSecond: number
  /** Bytes, FIN and RST are held until it is false again. One direction only makes a half-open connection. */
  cut: boolean
  /** At most this many bytes are taken from a sender before they are delivered; then it feels back-pressure. */
  inFlightBytes: number
  /** Largest piece that is written at once. */
  sliceBytes: number
}

export const CLEAR: Shape = {
  delayMs: 0,
  jitterMs: 0,
  bytesPerSecond: Number.POSITIVE_INFINITY,
  cut: false,
  inFlightBytes: 16 << 20,
  sliceBytes: Number.POSITIVE_INFINITY,
}

/** Evidence of what a link did. */
export type Counters = {
  /** Connections open now, and accepted since the start. */
  connections: { open: number; accepted: number }
  /** Bytes that reached the other side, and bytes that are held back now. */
  up: { bytes: number; held: number }
  down: { bytes: number; held: number }
}

/** What the parent asks of the proxy's process. */
export type Calls = {
  listen: { listen: Endpoint; target: Endpoint; seed: number }
  shape: { directions: readonly Direction[]; change: Partial<Shape> }
  /** Ends connections by RST: now, or the one that carries the byte after so many more. */
  reset: { after?: { direction: Direction; bytes: number } }
  /** Refuses new connections, or takes them again; open ones go on. */
  refuse: { on: boolean }
  counters: Record<string, never>
}
export type Endpoint = { host: string; port: number }
export type Call = { [K in keyof Calls]: { id: number; call: K; args: Calls[K] } }[keyof Calls]
export type Answer = { id: number; counters: Counters } | { id: number; error: string }
