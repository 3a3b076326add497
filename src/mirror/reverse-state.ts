import { z } from 'zod'
import { type During, KmigError, Offset } from '../kit/index.ts'
import type { StateTopic } from '../offsets/index.ts'
import type { CutPoint, CutPoints, Stranded } from './reverse-shape.ts'
import { MirrorState } from './state.ts'

/** Name under which the way back of a mirror keeps its state, on the old cluster. */
export const backOf = (mirror: string): string => `${mirror}.back`

const offset = z
  .string()
  .regex(/^\d+$/)
  .transform(text => Offset(BigInt(text)))
/** Written last: what else is kept belongs to this run. */
const armedState = z.object({ run: z.string(), at: z.string() })
const cutState = z.object({ old: offset, next: offset })
const carryState = z.object({
  producerId: z.string().regex(/^\d+$/).transform(BigInt),
  epoch: z.number(),
  from: offset,
  to: offset.optional(),
})
const strandedState = z.array(
  z.object({ from: offset, to: offset, carried: z.boolean(), carry: carryState.optional() }),
)
/** What a group had committed on the new cluster at the cut, by `topic-partition`. */
const groupState = z.record(z.string(), offset)

const KEPT = ['cut/', 'stranded/', 'group/'] as const
/** A broker takes batches of a megabyte; JSON of groups is long. */
const PUT_CHARACTERS = 300_000

/** What the way back remembers beside what every mirror does, in the same topic. Throws STATE_DAMAGED. */
export class ReverseState {
  readonly #topic: StateTopic
  readonly mirror: MirrorState
  constructor(topic: StateTopic) {
    this.#topic = topic
    this.mirror = new MirrorState(topic)
  }

  /** Reads what is kept anew. */
  async refresh(during: During): Promise<void> {
    await this.mirror.refresh(during)
  }
  get armed(): z.output<typeof armedState> | undefined {
    return this.#read('armed', armedState)
  }
  get cut(): CutPoints {
    return this.#under('cut/', cutState)
  }
  get stranded(): Stranded[] {
    return [...this.#under('stranded/', strandedState)].flatMap(([where, found]) =>
      found.map(each => ({ where, ...each })),
    )
  }
  get groups(): ReadonlyMap<string, Record<string, Offset>> {
    return this.#under('group/', groupState)
  }

  /** From here on nothing of what is kept counts, until it is armed again. */
  async disarm(during: During): Promise<void> {
    await this.#topic.put([['armed', null]], during)
    await this.mirror.forget(new Set(this.mirror.topicNames), during)
    const keys = KEPT.flatMap(prefix => [...this.#topic.under(prefix)].map(([rest]) => `${prefix}${rest}`))
    await this.#put(
      keys.map(key => [key, null] as const),
      during,
    )
  }
  async setCut(
    cut: ReadonlyMap<string, CutPoint>,
    groups: ReadonlyMap<string, Record<string, bigint>>,
    during: During,
  ): Promise<void> {
    const rows = [...groups].map(([group, at]) => [
      `group/${group}`,
      Object.fromEntries(Object.entries(at).map(([where, n]) => [where, String(n)])),
    ])
    const points = [...cut].map(([where, { old, next }]) => [
      `cut/${where}`,
      { old: String(old), next: String(next) },
    ])
    await this.#put([...points, ...rows] as [string, unknown][], during)
  }
  async setStranded(where: string, found: readonly Omit<Stranded, 'where'>[], during: During): Promise<void> {
    const rows = found.map(({ from, to, carried, carry }) => ({ from, to, carried, carry }))
    const value = JSON.parse(JSON.stringify(rows, (_, v: unknown) => (typeof v === 'bigint' ? String(v) : v)))
    await this.#topic.put([[`stranded/${where}`, rows.length > 0 ? value : null]], during)
  }
  async arm(run: string, during: During): Promise<void> {
    await this.#topic.put([['armed', { run, at: new Date().toISOString() }]], during)
  }

  async #put(entries: readonly (readonly [string, unknown])[], during: During): Promise<void> {
    let share: (readonly [string, unknown])[] = []
    let length = 0
    for (const entry of entries) {
      const more = entry[0].length + JSON.stringify(entry[1]).length
      if (length + more > PUT_CHARACTERS && share.length > 0) {
        await this.#topic.put(share, during)
        share = []
        length = 0
      }
      share.push(entry)
      length += more
    }
    if (share.length > 0) await this.#topic.put(share, during)
  }
  #under<T extends z.ZodType>(prefix: string, schema: T): Map<string, z.output<T>> {
    return new Map(
      [...this.#topic.under(prefix)].map(([rest, value]) => [
        rest,
        parsed(this.#topic, `${prefix}${rest}`, schema, value),
      ]),
    )
  }
  #read<T extends z.ZodType>(key: string, schema: T): z.output<T> | undefined {
    const value = this.#topic.get(key)
    return value === undefined ? undefined : parsed(this.#topic, key, schema, value)
  }
}

const parsed = <T extends z.ZodType>(
  { topic }: StateTopic,
  key: string,
  schema: T,
  value: unknown,
): z.output<T> => {
  const found = schema.safeParse(value)
  if (found.success) return found.data
  throw new KmigError('STATE_DAMAGED', `${topic} key ${key}: ${z.prettifyError(found.error)}`, {
    try: ['use the version of kmig that wrote it'],
  })
}
