import {
  AT,
  type Connection,
  isRetriable,
  kafkaError,
  type Piece,
  type Produce,
  type ResponseOf,
} from '../kafka/index.ts'
import { type During, isKmigError, KmigError, messageOf } from '../kit/index.ts'
import type { Brakes } from './brakes.ts'
import { produceTo, type TopicIds } from './by-id.ts'
import type { Lane } from './lane.ts'

/** Requests under way on one connection; the broker handles them one after the other. */
const DEPTH = 5
/** While others are under way a request waits until it is worth sending. */
const WORTH_BYTES = 256 << 10
const REQUEST_BYTES = 4 << 20
const TIMEOUT_MS = 30_000

export type OutletOptions = During<void> & {
  topicIds: TopicIds
  brakes: Brakes
  /** Whether this process owns its lanes, at this very moment: nothing is sent otherwise. */
  owns(): boolean
  /** Bytes that a request may have. */
  requestBytes: number
  /** The connection ended before these were answered. */
  cutOff(sent: readonly Sent[]): void
}

type Part = ResponseOf<typeof Produce>['topics'][number]['partitions'][number]
export type Sent = { lane: Lane; piece: Piece }

/**
 * The produce side of one connection to one broker: packs at most one batch per partition into each request (twice the
 * same partition, and the broker silently loses the first). A lane is on one outlet at a time, so its batches keep
 * their order. Source: MIRROR.md 4 and 5.5, ReplicaManager.appendToLocalLog.
 */
export class Outlet {
  readonly connection: Connection
  readonly #lanes = new Set<Lane>()
  readonly #signal: AbortSignal
  readonly #moved: () => void
  readonly #topicIds: TopicIds
  readonly #brakes: Brakes
  readonly #owns: () => boolean
  readonly #requestBytes: number
  readonly #cutOff: OutletOptions['cutOff']
  #underWay = 0
  #resting = false

  constructor(connection: Connection, options: OutletOptions) {
    const { signal, on: moved, topicIds, brakes, owns, requestBytes, cutOff } = options
    this.connection = connection
    this.#topicIds = topicIds
    this.#brakes = brakes
    this.#owns = owns
    this.#requestBytes = Math.min(REQUEST_BYTES, requestBytes)
    this.#cutOff = cutOff
    this.#signal = signal
    this.#moved = () => moved?.()
    connection.ended.then(reason => {
      for (const lane of this.#lanes) if (lane.phase.at !== 'doubt') lane.doubt(messageOf(reason))
      this.#moved()
    })
  }

  add(lane: Lane): void {
    if (this.connection.closed) lane.doubt('the connection to the target was lost')
    else this.#lanes.add(lane)
  }
  remove(lane: Lane): void {
    this.#lanes.delete(lane)
  }

  /** Sends what is ready. Called whenever a lane got something, and after every answer. */
  pump(): void {
    const free = () => !this.#resting && this.#underWay < DEPTH && this.#owns()
    while (!this.connection.closed && !this.#signal.aborted && free()) {
      const sent = this.#gather()
      if (sent.length === 0) return
      this.#underWay++
      this.#send(sent).finally(() => {
        this.#underWay--
        this.#moved()
        this.pump()
      })
    }
  }

  /** A quota of the broker is obeyed: what is sent before only waits there. */
  #rest(ms: number): void {
    if (ms <= 0 || this.#resting) return
    this.#brakes.throttled('target', ms)
    this.#resting = true
    setTimeout(() => {
      this.#resting = false
      this.pump()
    }, ms).unref()
  }

  #gather(): Sent[] {
    const ready = [...this.#lanes].filter(lane => lane.ready)
    const bytes = ready.reduce((sum, lane) => sum + lane.nextBytes, 0)
    if (ready.length === 0 || (this.#underWay > 0 && bytes < WORTH_BYTES)) return []
    const sent: Sent[] = []
    let room = this.#requestBytes
    for (const lane of ready) {
      if (sent.length > 0 && lane.nextBytes > room) continue
      room -= lane.nextBytes
      sent.push({ lane, piece: lane.take() })
      this.#lanes.delete(lane) // to the end of the line
      this.#lanes.add(lane)
    }
    return sent
  }

  async #send(sent: readonly Sent[]): Promise<void> {
    const byTopic = Map.groupBy(sent, ({ lane }) => lane.topic)
    const topics = [...byTopic].map(([topic, parts]) => ({
      topic,
      partitions: parts.map(({ lane, piece }) => ({ partition: lane.partition, records: piece.bytes })),
    }))
    const parts = new Map<string, Part>()
    let why = 'the answer left the partition out'
    try {
      const answer = await produceTo(
        this.connection,
        this.#topicIds,
        { acks: -1, timeoutMs: TIMEOUT_MS, topics },
        { timeoutMs: TIMEOUT_MS + 5_000 },
      )
      this.#rest(answer.throttleTimeMs)
      for (const { topic, partitions } of answer.topics) {
        for (const part of partitions) parts.set(`${topic}-${part.partition}`, part)
      }
    } catch (e) {
      why = messageOf(e)
      if (isKmigError(e, 'DISCONNECTED')) this.#cutOff(sent)
    }
    for (const { lane, piece } of sent) {
      const part = parts.get(lane.where)
      if (!part) lane.lost(piece, why)
      else if (part.errorCode === 0) {
        if (piece.batches > 0) lane.times.record = Number(piece.bytes.readBigInt64BE(AT.maxTimestamp))
        lane.landed(piece, part.baseOffset)
      } else refused(lane, piece, part.errorCode, part.errorMessage)
    }
  }
}

/** Errors that trying again can't cure, with what they are to the operator. The others begin a doubt. */
const FINAL = new Map<string, (lane: Lane, piece: Piece, why: string) => KmigError>([
  ['MESSAGE_TOO_LARGE', tooLarge],
  ['RECORD_LIST_TOO_LARGE', tooLarge],
  [
    'CORRUPT_MESSAGE',
    (lane, piece, why) =>
      stopped(
        'CORRUPT_BATCH',
        lane,
        piece,
        why,
        'check the disks of the source broker that leads the partition',
      ),
  ],
  [
    'TOPIC_AUTHORIZATION_FAILED',
    (lane, piece, why) =>
      stopped('AUTHORIZATION', lane, piece, why, `allow Write on topic ${lane.topic} on the target`),
  ],
  [
    'CLUSTER_AUTHORIZATION_FAILED',
    (lane, piece, why) =>
      stopped('AUTHORIZATION', lane, piece, why, 'allow IdempotentWrite on the target cluster'),
  ],
  [
    'INVALID_PRODUCER_EPOCH',
    (lane, piece, why) =>
      stopped('FOREIGN_WRITE', lane, piece, why, 'another process took this mirror over: see who runs it'),
  ],
  [
    'INVALID_RECORD',
    (lane, piece, why) =>
      stopped('BROKER', lane, piece, why, 'compare the configs of the topic on both sides'),
  ],
  [
    'INVALID_TIMESTAMP',
    (lane, piece, why) =>
      stopped('BROKER', lane, piece, why, 'raise message.timestamp.*.max.ms of the topic on the target'),
  ],
  [
    'UNSUPPORTED_COMPRESSION_TYPE',
    (lane, piece, why) => stopped('BROKER', lane, piece, why, 'the target is too old for this compression'),
  ],
  [
    'POLICY_VIOLATION',
    (lane, piece, why) => stopped('BROKER', lane, piece, why, 'the target has a policy against it'),
  ],
])

function tooLarge(lane: Lane, piece: Piece, why: string): KmigError {
  return stopped(
    'RECORD_TOO_LARGE',
    lane,
    piece,
    why,
    `raise max.message.bytes of topic ${lane.topic} on the target to at least ${piece.bytes.length}`,
  )
}

const stopped = (
  code: 'RECORD_TOO_LARGE' | 'CORRUPT_BATCH' | 'AUTHORIZATION' | 'FOREIGN_WRITE' | 'BROKER',
  lane: Lane,
  piece: Piece,
  why: string,
  remedy: string,
): KmigError =>
  new KmigError(
    code,
    `${lane.where} offset ${piece.base}: the target refused a batch of ${piece.count} records, ${piece.bytes.length} bytes: ${why}`,
    { try: [remedy] },
  )

/** After so many doubts in a row a refusal that trying again doesn't cure is no accident. */
const PATIENCE = 8

const refused = (lane: Lane, piece: Piece, errorCode: number, message: string | null): void => {
  const { name } = kafkaError(errorCode)
  const why = message ? `${name}: ${message}` : name
  const final = FINAL.get(name)
  lane.lost(piece, why)
  if (final) lane.stop(final(lane, piece, why))
  else if (!isRetriable(errorCode) && lane.setbacks >= PATIENCE)
    lane.stop(
      stopped('BROKER', lane, piece, why, 'see the log of the target broker that leads the partition'),
    )
}
