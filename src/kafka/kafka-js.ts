import { createRequire } from 'node:module'
import type { Kafka, KafkaConfig } from 'kafkajs'
import { type Sasl, type Security, saslOf, tlsOf, tlsOptions } from '../config/index.ts'
import { formatHostPort, type HostPort, KmigError } from '../kit/index.ts'
import { type Codec, compress, decompress, decompressOldLz4 } from './records/index.ts'

export type { Admin, Consumer, EachBatchPayload, Kafka as KafkaJs, Message, Producer } from 'kafkajs'

/** Loaded by the first client: its 143 modules take a tenth of a second, and a mirror needs none of them. */
const load = createRequire(import.meta.url)

type Queue = {
  pending: unknown[]
  throttledUntil: number
  throttleCheckTimeoutId: NodeJS.Timeout | null
  checkPendingRequests(): void
  scheduleCheckPendingRequests(): void
}

/**
 * kafkajs logs in again so long before a session ends; its own 10 s would do so at once where sessions are as short as
 * that, which brokers refuse within a second of the login (KIP-368).
 */
const RENEW_BEFORE_MS = 1_000

/** How long kafkajs 2.2.4 waits before it looks again at requests that could not be sent yet. */
const LOOK_AGAIN_MS = 10

/**
 * kafkajs 2.2.4 arms a timer after every answer, for the end of a throttling that is mostly none: with a negative time,
 * which Node takes for 1 ms (and Node 24 warns of), and the timer arms the next. Here it is armed only while a request
 * waits, which is all that it is for.
 */
const cureTimers = (): void => {
  const { prototype } = load('kafkajs/src/network/requestQueue') as {
    prototype: Queue
  }
  prototype.scheduleCheckPendingRequests = function (this: Queue) {
    if (this.throttleCheckTimeoutId || this.pending.length === 0) return
    const throttledMs = this.throttledUntil - Date.now()
    this.throttleCheckTimeoutId = setTimeout(
      () => {
        this.throttleCheckTimeoutId = null
        this.checkPendingRequests()
      },
      throttledMs > 0 ? throttledMs : LOOK_AGAIN_MS,
    )
  }
}

/** kafkajs brings gzip alone. */
const registerCodecs = ({ CompressionTypes, CompressionCodecs }: typeof import('kafkajs')): void => {
  const of = (codec: Codec) => () => ({
    compress: async ({ buffer }: { buffer: Buffer }) => compress(codec, buffer),
    // it hands over messages of format 0 too, and does not say so
    decompress: async (packed: Buffer) =>
      codec === 3 ? decompressOldLz4(packed) : decompress(codec, packed),
  })
  CompressionCodecs[CompressionTypes.Snappy] = of(2)
  CompressionCodecs[CompressionTypes.LZ4] = of(3)
  CompressionCodecs[CompressionTypes.ZSTD] = of(4)
}

let ready = false

export type KafkaJsOptions = {
  /** `host:port` each. */
  brokers: readonly (HostPort | string)[]
  /** Default 'kmig'. */
  clientId?: string | undefined
  /** Default PLAINTEXT. */
  security?: Security | undefined
}

const MECHANISM = {
  PLAIN: 'plain',
  'SCRAM-SHA-256': 'scram-sha-256',
  'SCRAM-SHA-512': 'scram-sha-512',
} as const

const loginOf = ({ mechanism, user, password, token }: Sasl): Pick<KafkaConfig, 'sasl'> => {
  if (token) {
    throw new KmigError(
      'UNSUPPORTED',
      "ordinary producers and consumers can't log in with a delegation token",
      {
        try: ['use the user and password of a SCRAM or PLAIN user in sasl.jaas.config'],
      },
    )
  }
  return { sasl: { mechanism: MECHANISM[mechanism], username: user, password: password.reveal() } as never }
}

/**
 * An ordinary Kafka client, for ordinary producers and consumers: it reads and writes all five codecs, logs nothing, and
 * costs nothing while idle. The data of a mirror never goes through it.
 */
export const kafkaJs = ({ brokers, clientId = 'kmig', security }: KafkaJsOptions): Kafka => {
  const [tls, sasl] = [tlsOf(security), saslOf(security)]
  const kafkajs = load('kafkajs') as typeof import('kafkajs')
  if (!ready) {
    cureTimers()
    registerCodecs(kafkajs)
    ready = true
  }
  return new kafkajs.Kafka({
    brokers: brokers.map(each => (typeof each === 'string' ? each : formatHostPort(each))),
    clientId,
    ...(tls ? { ssl: tlsOptions(tls) } : {}),
    ...(sasl ? loginOf(sasl) : {}),
    reauthenticationThreshold: RENEW_BEFORE_MS,
    logLevel: kafkajs.logLevel.NOTHING,
    logCreator: () => () => {},
  })
}
