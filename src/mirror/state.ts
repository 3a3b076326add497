import { z } from 'zod'
import { partitionKey, partitionOf } from '../kafka/index.ts'
import { type During, KmigError, Offset } from '../kit/index.ts'
import { type Beginning, mapOf, OffsetMap, type StateTopic } from '../offsets/index.ts'
import type { EpochStart, SourceEpochs } from './epochs.ts'
import type { LostGap } from './gaps.ts'
import type { Lane } from './lane.ts'
import type { KeptSent, Sent } from './sent.ts'

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
  /** Raised at each takeover: a marker of an older one that comes late is then refused. */
  controlProducerEpoch: z.number().default(0),
  /** Ids whose epochs were used up. */
  formerControlIds: z.array(whole.transform(BigInt)).default([]),
  /** Ids of data up to a way back after which the mirror went on with another. */
  formerDataIds: z.array(whole.transform(BigInt)).default([]),
  /** The cutover's run after whose way back it went on last. */
  rejoined: z.string().optional(),
})
export type Identity = z.output<typeof identity>

/** What a mirror writes with, and has ever written with: data, and control records that fill holes. */
export type ProducerIds = { data: ReadonlySet<bigint>; control: ReadonlySet<bigint> }
export const producerIdsOf = (identity: Identity): ProducerIds => {
  const { producerId, formerDataIds, controlProducerId, formerControlIds } = identity
  return {
    data: new Set([producerId, ...formerDataIds]),
    control: new Set([controlProducerId, ...formerControlIds]),
  }
}

/**
 * A topic that this mirror made. `starts`: the source's log start that each partition was padded up to, but for those in
 * `translated`, whose first record stands at offset 0.
 */
const topicState = z.object({
  sourceId: z.string(),
  targetId: z.string(),
  starts: z.array(offset),
  translated: z.array(z.number()).default([]),
  /** Whether the source's is compacted. */
  compacts: z.boolean().default(false),
  final: z.record(z.string(), z.string()),
  held: z.record(z.string(), z.string()),
})
export type TopicState = z.output<typeof topicState>

const anchorState = z
  .object({ offset, ordinal: whole.transform(BigInt).optional(), epoch: z.number() })
  .transform(({ offset, ordinal = offset, epoch }) => ({ offset, ordinal, epoch }))
/** See SourceEpochs. */
const epochsState = z.array(z.object({ from: whole.transform(BigInt), epoch: z.number() }))

/** Where records of a partition stand elsewhere than on the source, from the first on; and why. */
const shiftsState = z.object({
  shifts: z.array(z.object({ source: offset, ordinal: whole.transform(BigInt), target: offset })),
  why: z.string(),
})

/** Source offsets that were gone before they were copied, and accepted. */
const gapsState = z.array(z.object({ from: offset, to: offset, at: z.string() }))

/**
 * Where others stopped to write to the target and this mirror begins, or goes on. `begins`: its map begins there too, and
 * knows nothing of what was before.
 */
const groundState = z.object({
  source: offset,
  ordinal: whole.transform(BigInt),
  target: offset,
  begins: z.boolean().default(false),
  /** Offsets [from, to) of the target that clients wrote while they were there. */
  theirs: z.array(z.object({ from: offset, to: offset })).default([]),
  broken: z.string().optional(),
})
export type GroundState = z.output<typeof groundState>

const producer = z.object({ id: whole.transform(BigInt), epoch: z.number() })
/** See KeptSent. */
const sentState = z.object({
  to: offset,
  batches: z.array(z.object({ ordinal: whole.transform(BigInt), count: z.number(), crc: z.number() })),
  of: whole.transform(BigInt),
  producer,
  former: z.array(producer),
  shutting: z.boolean(),
})

/** Set when a cutover has moved the clients; a mirror must not write after that. */
const cutoverState = z.object({ run: z.string(), at: z.string() })
export type CutoverState = z.output<typeof cutoverState>

/** A group whose readers moved before the cutover's switch: where it stood on the source, and was put on the target. */
const movedState = z.object({
  run: z.string(),
  at: z.string(),
  partitions: z.array(z.object({ topic: z.string(), partition: z.number(), from: whole, to: whole })),
})
export type MovedReaders = z.output<typeof movedState> & { group: string }

/** Keys that are followed by `topic-partition`. */
const PER_PARTITION = ['ground/', 'start/', 'anchor/', 'shifts/', 'lost/', 'map/', 'sent/', 'epochs/']

const text = (value: unknown): unknown =>
  JSON.parse(JSON.stringify(value, (_, v: unknown) => (typeof v === 'bigint' ? String(v) : v)))

type Mapped = { where: string; map: OffsetMap; why: string; sent?: Sent; sourceEpochs?: SourceEpochs }
/** So many partitions' grounds are one batch, as a rule. */
const GROUNDS_AT_ONCE = 200

/** What a map has learned, and of which epochs the source is, as it is kept. */
const unkeptOf = ({ where, map, why, sent, sourceEpochs }: Mapped) => {
  const [unkept, epochs] = [map.unkept(), sourceEpochs?.unkept()]
  if (!unkept && !epochs) return undefined
  const texts = unkept?.texts.map(({ chunk, text }) => [`map/${where}/${chunk}`, text] as const) ?? []
  // those that are no more go first: a map must never be kept in part with what comes after it from before
  texts.sort(([, a], [, b]) => Number(a !== null) - Number(b !== null))
  const shifts = unkept?.shifts && ([`shifts/${where}`, text({ shifts: unkept.shifts, why })] as const)
  const kept = unkept && sent?.kept && ([`sent/${where}`, text(sent.kept)] as const)
  const starts = epochs && ([`epochs/${where}`, text(epochs.starts)] as const)
  return {
    entries: [...texts, ...[shifts, kept, starts].filter(each => each !== undefined)],
    kept: () => {
      unkept?.kept()
      epochs?.kept()
    },
    failed: () => unkept?.failed(),
  }
}

/** The mirror's memory on the target, read and written by meaning. Throws STATE_DAMAGED on what it can't read. */
export class MirrorState {
  readonly #topic: StateTopic
  /** As they were read last, until anything is written: a topic is asked for once for each of its partitions. */
  readonly #topics = new Map<string, TopicState>()
  constructor(topic: StateTopic) {
    this.#topic = topic
  }

  /** Reads what other processes of this mirror have written since. */
  async refresh(during: During): Promise<void> {
    await this.#topic.refresh(during)
    this.#topics.clear()
  }
  async #put(entries: readonly (readonly [string, unknown])[], during: During): Promise<void> {
    try {
      await this.#topic.put(entries, during)
    } finally {
      this.#topics.clear()
    }
  }

  get identity(): Identity | undefined {
    return this.#read('mirror', identity)
  }
  get cutover(): CutoverState | undefined {
    return this.#read('cutover', cutoverState)
  }
  /** Groups that read on the target already: nobody but their readers commits there. */
  get moved(): MovedReaders[] {
    return [...this.#topic.under('moved/')].flatMap(([group]) => {
      const known = this.#read(`moved/${group}`, movedState)
      return known ? [{ ...known, group }] : []
    })
  }
  async setMoved(group: string, value: z.output<typeof movedState> | null, during: During): Promise<void> {
    await this.#put([[`moved/${group}`, value]], during)
  }
  topic(name: string): TopicState | undefined {
    const before = this.#topics.get(name)
    const known = before ?? this.#read(`topic/${name}`, topicState)
    if (before || !known) return before
    const starts = known.starts.map((start, i) => this.#read(`start/${name}-${i}`, offset) ?? start)
    const now = { ...known, starts }
    this.#topics.set(name, now)
    return now
  }
  get topicNames(): string[] {
    return [...this.#topic.under('topic/')].map(([name]) => name)
  }
  anchor(where: string): z.output<typeof anchorState> | undefined {
    return this.#read(`anchor/${where}`, anchorState)
  }

  /** Where the target begins to be this mirror's; undefined if it has written all that is there. */
  ground(where: string): GroundState | undefined {
    return this.#read(`ground/${where}`, groundState)
  }
  async setGrounds(grounds: ReadonlyMap<string, GroundState>, during: During): Promise<void> {
    await this.#put(
      [...grounds].map(([where, ground]) => [`ground/${where}`, text(ground)] as const),
      during,
    )
  }

  /** A partition goes on at its new ground, with the map up to there: in one write, or its map could be extended twice. */
  async regrounds(parts: readonly (Mapped & { ground: GroundState })[], during: During): Promise<void> {
    for (let from = 0; from < parts.length; from += GROUNDS_AT_ONCE) {
      const share = parts.slice(from, from + GROUNDS_AT_ONCE).map(part => {
        const kept = unkeptOf(part)
        const { where, ground } = part
        // the source's records before it may be of other epochs now: the way back wrote them
        const gone = [[`anchor/${where}`, null] as const, [`epochs/${where}`, null] as const]
        const rest = [...gone, [`ground/${where}`, text(ground)] as const]
        return { kept, entries: [...(kept?.entries ?? []), ...rest] }
      })
      await this.#put(
        share.flatMap(({ entries }) => entries),
        during,
      )
      for (const { kept } of share) kept?.kept()
    }
  }

  /** What the source lost before it was copied, and the operator accepted. */
  gaps(where: string): z.output<typeof gapsState> {
    return this.#read(`lost/${where}`, gapsState) ?? []
  }
  async addGap(where: string, { from, to }: LostGap, during: During): Promise<void> {
    const known = this.gaps(where).filter(each => each.from !== from)
    const all = [...known, { from, to, at: new Date().toISOString() }]
    await this.#put([[`lost/${where}`, text(all)]], during)
  }

  /** Where a partition's records stand elsewhere, and why; undefined if they never did. */
  shiftsOf(where: string): z.output<typeof shiftsState> | undefined {
    const kept = this.#read(`shifts/${where}`, shiftsState)
    return kept && kept.shifts.length > 0 ? kept : undefined
  }
  /** What is kept of a partition's holes and shifts; `map` begins where the topic's state says. */
  map(topic: string, partition: number): { map: OffsetMap; why: string | undefined } {
    const where = partitionKey(topic, partition)
    const made = this.topic(topic)
    const ground = this.ground(where)
    const beginning: Beginning = {
      translated: made?.translated.includes(partition) ?? false,
      start: made?.starts[partition] ?? Offset(0n),
      at: ground?.begins ? { ordinal: ground.ordinal, target: ground.target } : undefined,
    }
    const texts: string[] = []
    for (let text: string | undefined; ; texts.push(text)) {
      text = this.#read(`map/${where}/${texts.length}`, z.string())
      if (text === undefined) break
    }
    const kept = this.shiftsOf(where)
    const runs = mapOf(OffsetMap.baseOf(beginning), texts, where)
    const map = new OffsetMap(beginning, { runs, shifts: kept?.shifts ?? [], chunks: texts.length })
    return { map, why: kept?.why }
  }
  /** What was sent to a partition whose source can lose records between two reads. */
  sent(where: string): KeptSent | undefined {
    return this.#read(`sent/${where}`, sentState)
  }
  async setSent(lanes: readonly Lane[], during: During): Promise<void> {
    const entries = lanes.flatMap(({ where, sent: { kept } }) =>
      kept ? [[`sent/${where}`, text(kept)] as const] : [],
    )
    if (entries.length > 0) await this.#put(entries, during)
  }
  /** In which leader epochs of the source what was ever sent to a partition was written. */
  sourceEpochs(where: string): EpochStart[] {
    return this.#read(`epochs/${where}`, epochsState) ?? []
  }
  /** What this mirror writes with, and has ever written with, everywhere. */
  get producerIds(): ProducerIds | undefined {
    const { identity: known } = this
    if (!known) return undefined
    const { data, control } = producerIdsOf(known)
    const kept = [...this.#topic.under('sent/')].flatMap(([where]) => this.sent(where) ?? [])
    const former = kept.flatMap(each => each.former.map(({ id }) => id))
    return {
      data: new Set([...data, ...kept.map(each => each.producer.id), ...former]),
      control: new Set([...control, ...former]),
    }
  }

  /** Keeps what the maps of these lanes have learned, before anything that rests on it is sent. */
  async setMaps(lanes: readonly Mapped[], during: During): Promise<void> {
    const parts = lanes.flatMap(lane => unkeptOf(lane) ?? [])
    try {
      await this.#put(
        parts.flatMap(({ entries }) => entries),
        during,
      )
    } catch (e) {
      for (const part of parts) part.failed()
      throw e
    }
    for (const part of parts) part.kept()
  }

  async setIdentity(value: Identity, during: During): Promise<void> {
    await this.#put([['mirror', text(value)]], during)
  }
  async setCutover(value: CutoverState | null, during: During): Promise<void> {
    await this.#put([['cutover', value]], during)
  }
  async setTopics(topics: ReadonlyMap<string, TopicState>, during: During): Promise<void> {
    const entries = [...topics].map(([name, value]) => [`topic/${name}`, text(value)] as const)
    await this.#put(entries, during)
  }
  /** Keeps a topic whose state was gone, and how far its partitions have been checked. */
  async setFound(
    topic: string,
    now: TopicState,
    checked: readonly {
      partition: number
      end: Offset
      ordinal: bigint
      epoch: number
      sourceEpochs: readonly EpochStart[]
    }[],
    during: During,
  ): Promise<void> {
    const anchors = checked.flatMap(({ partition, end, ordinal, epoch, sourceEpochs }) => {
      const where = partitionKey(topic, partition)
      const anchor = [`anchor/${where}`, text({ offset: end, ordinal, epoch })] as const
      return [anchor, [`epochs/${where}`, text(sourceEpochs)] as const]
    })
    await this.#put([...anchors, [`topic/${topic}`, text(now)]], during)
  }
  /** Whether who leads could not make a topic ready at this sharing: it has no lanes. */
  isRefused(topic: string): boolean {
    return this.#topic.get(`refused/${topic}`) !== undefined
  }
  async setRefused(topics: Iterable<string>, during: During): Promise<void> {
    const entries = [...topics].map(topic => [`refused/${topic}`, { at: new Date().toISOString() }] as const)
    if (entries.length > 0) await this.#put(entries, during)
  }
  /** At each sharing it turns out anew. */
  async clearRefused(during: During): Promise<void> {
    const old = [...this.#topic.under('refused/')].map(([topic]) => [`refused/${topic}`, null] as const)
    if (old.length > 0) await this.#put(old, during)
  }
  /** Takes out all that is kept of these topics and their partitions: their copies are gone. */
  async forget(topics: ReadonlySet<string>, during: During): Promise<void> {
    // the topic first: what is left if the rest does not get so far belongs to no topic then, and is forgotten next time
    const known = [...topics].filter(name => this.#topic.get(`topic/${name}`) !== undefined)
    const parts =
      topics.size === 0
        ? []
        : PER_PARTITION.flatMap(prefix =>
            [...this.#topic.under(prefix)].flatMap(([rest]) => {
              const where = rest.split('/')[0] ?? ''
              return topics.has(partitionOf(where).topic) ? [`${prefix}${rest}`] : []
            }),
          )
    const keys = [...known.map(name => `topic/${name}`), ...parts]
    await this.#put(
      keys.map(key => [key, null] as const),
      during,
    )
  }
  /** Keeps where padding ends now. A key of its own: whoever copies the partition writes it, another process the topic. */
  async setStarts(lanes: readonly Lane[], during: During): Promise<void> {
    const entries = lanes.flatMap(({ where, phase }) =>
      phase.at === 'moving' ? [[`start/${where}`, text(phase.to)] as const] : [],
    )
    if (entries.length > 0) await this.#put(entries, during)
  }
  async setAnchors(lanes: readonly Lane[], during: During): Promise<void> {
    const entries = lanes.map(lane => [`anchor/${lane.where}`, text(lane.anchor)] as const)
    if (entries.length > 0) await this.#put(entries, during)
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
        try: [
          'use the version of kmig that wrote it',
          `or delete topic ${this.#topic.topic} on the target: the next start finds copies with identical offsets again by what they hold`,
        ],
      },
    )
  }
}
