import { createRequire } from 'node:module'
import kafkajs, { type Kafka } from 'kafkajs'
import { formatHostPort, type HostPort } from '../kit/index.ts'
import { type Codec, compress, decompress } from './records/index.ts'

export type { Admin, Consumer, EachBatchPayload, Kafka as KafkaJs, Message, Producer } from 'kafkajs'

type Queue = {
  pending: unknown[]
  throttledUntil: number
  throttleCheckTimeoutId: NodeJS.Timeout | null
  checkPendingRequests(): void
  scheduleCheckPendingRequests(): void
}

/** How long kafkajs 2.2.4 waits before it looks again at requests that could not be sent yet. */
const LOOK_AGAIN_MS = 10

/**
 * kafkajs 2.2.4 arms a timer after every answer, for the end of a throttling that is mostly none: with a negative time,
 * which Node takes for 1 ms (and Node 24 warns of), and the timer arms the next. Here it is armed only while a request
 * waits, which is all that it is for.
 */
const cureTimers = (): void => {
  const { prototype } = createRequire(import.meta.url)('kafkajs/src/network/requestQueue') as {
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
const registerCodecs = (): void => {
  const { CompressionTypes, CompressionCodecs } = kafkajs
  const of = (codec: Codec) => () => ({
    compress: async ({ buffer }: { buffer: Buffer }) => compress(codec, buffer),
    decompress: async (packed: Buffer) => decompress(codec, packed),
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
}

/**
 * An ordinary Kafka client, for ordinary producers and consumers: it reads and writes all five codecs, logs nothing, and
 * costs nothing while idle. The data of a mirror never goes through it.
 */
export const kafkaJs = ({ brokers, clientId = 'kmig' }: KafkaJsOptions): Kafka => {
  if (!ready) {
    cureTimers()
    registerCodecs()
    ready = true
  }
  return new kafkajs.Kafka({
    brokers: brokers.map(each => (typeof each === 'string' ? each : formatHostPort(each))),
    clientId,
    logLevel: kafkajs.logLevel.NOTHING,
    logCreator: () => () => {},
  })
}
/** Compression types for producers. */
export const { CompressionTypes } = kafkajs
