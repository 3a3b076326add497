import { z } from 'zod'
import { type During, KmigError, Offset } from '../kit/index.ts'
import type { StateTopic } from '../offsets/index.ts'
import type { Lane } from './lane.ts'

const whole = z.string().regex(/^-?\d+$/)
const offset = z
  .string()
  .regex(/^\d+$/)
  .transform(text => Offset(BigInt(text)))

/** Who this mirror is: its two ends, and the producer ids that mark everything it writes (MIRROR.md 5.1). */
const identity = z.object({
  schema: z.literal(1),
  sourceClusterId: z.string(),
  targetClusterId: z.string(),
  producerId: whole.transform(BigInt),
  producerEpoch: z.number(),
  controlProducerId: whole.transform(BigInt),
})
export type Identity = z.output<typeof identity>

/** A topic that this mirror made. `starts`: the source's log start that each partition was padded up to. */
const topicState = z.object({
  sourceId: z.string(),
  targetId: z.string(),
  starts: z.array(offset),
  final: z.record(z.string(), z.string()),
  held: z.record(z.string(), z.string()),
})
export type TopicState = z.output<typeof topicState>

const anchorState = z.object({ offset, epoch: z.number() })

/** Set when a cutover has moved the clients; a mirror must not write after that. */
const cutoverState = z.object({ run: z.string(), at: z.string() })
export type CutoverState = z.output<typeof cutoverState>

const text = (value: unknown): unknown =>
  JSON.parse(JSON.stringify(value, (_, v: unknown) => (typeof v === 'bigint' ? String(v) : v)))

/** The mirror's memory on the target, read and written by meaning. Throws STATE_DAMAGED on what it can't read. */
export class MirrorState {
  readonly #topic: StateTopic
  constructor(topic: StateTopic) {
    this.#topic = topic
  }

  get identity(): Identity | undefined {
    return this.#read('mirror', identity)
  }
  get cutover(): CutoverState | undefined {
    return this.#read('cutover', cutoverState)
  }
  topic(name: string): TopicState | undefined {
    return this.#read(`topic/${name}`, topicState)
  }
  get topicNames(): string[] {
    return [...this.#topic.under('topic/')].map(([name]) => name)
  }
  anchor(where: string): z.output<typeof anchorState> | undefined {
    return this.#read(`anchor/${where}`, anchorState)
  }

  async setIdentity(value: Identity, during: During): Promise<void> {
    await this.#topic.put([['mirror', text(value)]], during)
  }
  async setCutover(value: CutoverState | null, during: During): Promise<void> {
    await this.#topic.put([['cutover', value]], during)
  }
  async setTopics(topics: ReadonlyMap<string, TopicState>, during: During): Promise<void> {
    await this.#topic.put(
      [...topics].map(([name, value]) => [`topic/${name}`, text(value)] as const),
      during,
    )
  }
  async setAnchors(lanes: readonly Lane[], during: During): Promise<void> {
    const entries = lanes.map(lane => [`anchor/${lane.where}`, text(lane.anchor)] as const)
    if (entries.length > 0) await this.#topic.put(entries, during)
  }
  #read<T extends z.ZodType>(key: string, schema: T): z.output<T> | undefined {
    const value = this.#topic.get(key)
    if (value === undefined) return undefined
    const parsed = schema.safeParse(value)
    if (parsed.success) return parsed.data
    throw new KmigError(
      'STATE_DAMAGED',
      `${this.#topic.topic} key ${key}: ${z.prettifyError(parsed.error)}`,
      {
        try: ['use the version of kmig that wrote it'],
      },
    )
  }
}
