import { readFileSync, statSync } from 'node:fs'
import * as z from 'zod'
import { KmigError, messageOf, writeFileAtomic } from '../kit/index.ts'
import type { DigestWindow, Kept } from './digest.ts'
import type { PartitionOptions, Standing } from './partition.ts'

const big = z
  .string()
  .regex(/^-?\d+$/)
  .transform(BigInt)
const look = z
  .object({
    offset: big,
    timestamp: big,
    key: z.string().nullable(),
    value: z.string().nullable(),
    headers: z.string(),
  })
  .optional()
const kind = z.enum(['changed', 'missing', 'extra', 'swapped', 'moved', 'corrupt'])
const difference = z.object({
  topic: z.string(),
  partition: z.number(),
  kind,
  source: big.optional(),
  target: big.optional(),
  length: big,
  fields: z.array(z.enum(['offset', 'timestamp', 'key', 'value', 'headers'])),
  was: look,
  is: look,
  note: z.string().optional(),
})
const kept = z.object({
  from: big,
  windows: z.array(
    z.object({ from: big, to: big, records: z.number(), bytes: z.number(), sha256: z.string() }),
  ),
})
const partition = z.object({
  sourceId: z.string(),
  targetId: z.string(),
  how: z.enum(['identical', 'mapped', 'any', 'latest']),
  reached: z.object({ source: z.number(), target: z.number(), shift: z.number() }),
  tally: z.object({
    records: z.number(),
    untouched: z.number(),
    unpacked: z.number(),
    differingWindows: z.number(),
    lastWindow: z.number(),
    counts: z.record(kind, big),
    first: z.array(difference),
    notCompared: z.array(
      z.object({ side: z.enum(['source', 'target']), from: big, to: big, why: z.string() }),
    ),
  }),
  /** With --digests; only windows that are whole. */
  kept: z.object({ source: kept, target: kept }).optional(),
})
const file = z.object({
  kmig: z.literal('verify'),
  schema: z.literal(1),
  source: z.string(),
  target: z.string(),
  offsets: z.string(),
  digests: z.boolean().default(false),
  partitions: z.record(z.string(), partition),
})

type Ids = { sourceId: string; targetId: string }
export type Identity = { source: string; target: string; offsets: string; digests: boolean }

const WRITE_EVERY_MS = 1_000

const bigText = (_: string, value: unknown): unknown => (typeof value === 'bigint' ? String(value) : value)

/** The windows before an offset, without a copy of them: they only ever get more, and there may be many. */
type Begun = Kept & { count: number }
const begun = ({ from, windows }: Kept, reached: number): Begun => {
  let count = windows.length
  while ((windows[count - 1]?.to ?? 0n) > BigInt(reached)) count--
  return { from, windows, count }
}
const whole = ({ from, windows, count }: Begun): { from: bigint; windows: readonly DigestWindow[] } => ({
  from,
  windows: windows.slice(0, count),
})

/** One partition in the file: as it was read, or as this run left it. */
type Noted = { plain: object; kept: { source: Begun; target: Begun } | undefined }

/** What has been compared, in a file, so that a run that was killed goes on, and the next one reads only what is new. */
export class StateFile {
  readonly #path: string
  readonly #head: Identity
  readonly #partitions = new Map<string, Noted>()
  readonly #earlier: z.output<typeof file>['partitions']
  #wroteAt = performance.now()
  #writing: Promise<void> | undefined

  private constructor(
    path: string,
    head: Identity,
    earlier: z.output<typeof file>['partitions'],
    raw: object,
  ) {
    this.#path = path
    this.#head = head
    this.#earlier = earlier
    for (const [key, value] of Object.entries(raw))
      this.#partitions.set(key, { plain: value, kept: undefined })
  }

  /** Throws STATE_DAMAGED, and USAGE if the file is of another comparison. */
  static open(path: string, head: Identity): StateFile {
    const there = statSync(path, { throwIfNoEntry: false })
    if (!there) return new StateFile(path, head, {}, {})
    if (!there.isFile()) throw new KmigError('USAGE', `--state ${path} is no file`, { try: ['name a file'] })
    const advice = { try: [`remove ${path}: everything is compared anew`, 'or name another --state'] }
    let raw: { partitions: object }
    let read: z.output<typeof file>
    try {
      raw = JSON.parse(readFileSync(path, 'utf8'))
      read = file.parse(raw)
    } catch (cause) {
      const why = cause instanceof z.ZodError ? z.prettifyError(cause) : messageOf(cause)
      throw new KmigError('STATE_DAMAGED', `${path} is not what kmig verify wrote: ${why}`, {
        ...advice,
        cause,
      })
    }
    for (const key of ['source', 'target', 'offsets', 'digests'] as const) {
      if (read[key] === head[key]) continue
      throw new KmigError('USAGE', `${path} is of ${key} ${read[key]}, this is ${head[key]}`, advice)
    }
    return new StateFile(path, head, read.partitions, raw.partitions)
  }

  /** What an earlier run found; undefined also where a topic has been made again since. */
  earlier(where: string, { sourceId, targetId }: Ids): PartitionOptions['earlier'] {
    const found = this.#earlier[where]
    if (!found || found.sourceId !== sourceId || found.targetId !== targetId || found.how === 'latest')
      return undefined
    const first = found.tally.first.map(({ source, target, was, is, note, ...more }) => ({
      ...{ source, target, was, is, note },
      ...more,
    }))
    const { how, reached, kept } = found
    return { how, reached, tally: { ...found.tally, first }, kept }
  }

  /** Keeps how far a partition is; the file follows within a second, while the run goes on. */
  note(where: string, ids: Ids, { how, reached, tally, digesting }: Standing): void {
    const plain = JSON.parse(JSON.stringify({ ...ids, how, reached, tally: tally.state }, bigText))
    const kept = digesting && {
      source: begun(digesting.source, reached.source),
      target: begun(digesting.target, reached.target),
    }
    this.#partitions.set(where, { plain, kept })
    if (this.#writing || performance.now() - this.#wroteAt < WRITE_EVERY_MS) return
    this.#writing = this.#write().finally(() => {
      this.#writing = undefined
    })
    this.#writing.catch(() => {}) // the last write tells
  }

  async #write(): Promise<void> {
    this.#wroteAt = performance.now()
    const partitions = Object.fromEntries(
      [...this.#partitions].map(([where, { plain, kept }]) => [
        where,
        kept ? { ...plain, kept: { source: whole(kept.source), target: whole(kept.target) } } : plain,
      ]),
    )
    const all = { kmig: 'verify', schema: 1, ...this.#head, partitions }
    await writeFileAtomic(this.#path, `${JSON.stringify(all, bigText)}\n`)
  }

  /** Throws USAGE if the file can't be written. */
  async save(): Promise<void> {
    await this.#writing?.catch(() => {})
    await this.#write().catch(cause => {
      throw new KmigError('USAGE', `${this.#path} can't be written: ${messageOf(cause)}`, { cause })
    })
  }
}
