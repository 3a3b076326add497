/**
 * The mirror's rules of writing, dying and going on (MIRROR.md 5) over one partition, as steps between states. What a
 * broker does is modelled as its source has it: a producer that it remembers may only go on, one that it has forgotten may
 * begin anywhere.
 */
export type Rules = {
  /** One producer id in all processes, and a sequence that is the ordinal. */
  ordinalSequence: boolean
  /** After a start or a doubt go on at the target's log end, not at what was last written down. */
  logEndIsTruth: boolean
  /** Read every header up to that end before going on. */
  readBack: boolean
  /** An answered base offset that was not predicted stops the partition. */
  prediction: boolean
  /** One batch in flight until the first one is answered. */
  firstAlone: boolean
  /** After a process died, while the broker knows nothing of the producer: wait for what may still be under way. */
  wait: boolean
  /** At the cut: the log ends where it must, and all its headers are the mirror's. */
  endScan: boolean
}
export const RULES: Rules = {
  ordinalSequence: true,
  logEndIsTruth: true,
  readBack: true,
  prediction: true,
  firstAlone: true,
  wait: true,
  endScan: true,
}

/** Records are the numbers of their source offsets; a foreign one is -1. */
type Entry = { record: number; producer: number; sequence: number }
type Batch = { from: number; count: number; producer: number; sequence: number }
export type MirrorModel = {
  /** Records of the source; none are added once the cut is made. */
  source: number
  target: Entry[]
  /** Last sequence of each producer that the broker remembers. */
  remembers: Record<number, number>
  /** Sent by the process that is alive, in order on its connection. */
  flying: Batch[]
  /** Sent by one that is dead, or on a connection that is. */
  stray: Batch[]
  process:
    | { producer: number; next: number; acked: number; doubt: boolean; proven: boolean; sent: number }
    | undefined
  /** Written down now and then. */
  checkpoint: number
  stopped: boolean
  cut: boolean
  left: { crashes: number; forgets: number; foreign: number; drops: number }
}

const RECORDS = 3
const FLYING = 2
const FOREIGN = -1

export const mirrorStart = (left: MirrorModel['left']): MirrorModel => ({
  ...{ source: 1, target: [], remembers: {}, flying: [], stray: [], process: undefined },
  ...{ checkpoint: 0, stopped: false, cut: false, left },
})

/** Whether a log holds what it must, record by record and header by header. */
const chain = (target: readonly Entry[], end: number, { ordinalSequence }: Rules): boolean =>
  target.length === end &&
  target.every(({ record, sequence }, i) => record === i && (!ordinalSequence || sequence === i))

/** What a broker makes of a batch: the log after it, and the base offset that it answers; undefined for an error. */
const append = (s: MirrorModel, batch: Batch): { s: MirrorModel; base: number | undefined } => {
  const { producer, sequence, count, from } = batch
  const last = s.remembers[producer]
  if (last !== undefined && sequence + count - 1 <= last) {
    const at = s.target.findLastIndex(each => each.producer === producer && each.sequence === sequence)
    return { s, base: at < 0 ? undefined : at }
  }
  if (last !== undefined && sequence !== last + 1) return { s, base: undefined }
  const entries = Array.from({ length: count }, (_, i) => ({
    record: from + i,
    producer,
    sequence: sequence + i,
  }))
  const remembers = { ...s.remembers, [producer]: sequence + count - 1 }
  return { s: { ...s, target: [...s.target, ...entries], remembers }, base: s.target.length }
}

export function* mirrorSteps(s: MirrorModel, rules: Rules): Generator<readonly [string, MirrorModel], void> {
  const { process, flying, stray, left, target } = s
  if (!s.cut && s.source < RECORDS) yield ['a client writes', { ...s, source: s.source + 1 }]
  if (left.foreign > 0) {
    const foreign = { record: FOREIGN, producer: FOREIGN, sequence: 0 }
    if (!s.cut)
      yield [
        'a stranger writes',
        { ...s, target: [...target, foreign], left: { ...left, foreign: left.foreign - 1 } },
      ]
  }
  // a sweep or a restart: by then nothing is under way any more that was sent before
  if (left.forgets > 0 && stray.length === 0 && Object.keys(s.remembers).length > 0)
    yield ['the broker forgets', { ...s, remembers: {}, left: { ...left, forgets: left.forgets - 1 } }]
  const [lost, ...others] = stray
  if (lost) {
    yield ['a stray batch lands', { ...append(s, lost).s, stray: others }]
    yield ['a stray batch is lost', { ...s, stray: others }]
  }
  if (!process) {
    if (!s.stopped && !s.cut) yield ['a process starts', started(s, rules)]
    return
  }
  if (left.crashes > 0)
    yield [
      'the process dies',
      {
        ...s,
        process: undefined,
        flying: [],
        stray: [...stray, ...flying],
        left: { ...left, crashes: left.crashes - 1 },
      },
    ]
  if (s.stopped || s.cut) return
  if (process.doubt) {
    if (flying.length === 0) yield* resolved(s, process, rules)
    return
  }
  if (process.acked > s.checkpoint) yield ['it writes down where it is', { ...s, checkpoint: process.acked }]
  const room = process.proven || !rules.firstAlone ? FLYING : 1
  for (let count = 1; flying.length < room && count <= Math.min(2, s.source - process.next); count++) {
    const sequence = rules.ordinalSequence ? process.next : process.sent
    const batch = { from: process.next, count, producer: process.producer, sequence }
    const now = { ...process, next: process.next + count, sent: process.sent + count }
    yield [
      `it sends ${batch.from}-${batch.from + count - 1}`,
      { ...s, flying: [...flying, batch], process: now },
    ]
  }
  const [first, ...rest] = flying
  if (first) {
    const { s: after, base } = append({ ...s, flying: rest }, first)
    yield [
      `${first.from} lands, and is answered ${base ?? 'with an error'}`,
      answered(after, process, first, base, rules),
    ]
    if (left.drops > 0) {
      const doubt = { ...process, doubt: true, proven: false }
      const drops = { ...left, drops: left.drops - 1 }
      const refused = rest.reduce<MirrorModel>((now, each) => append(now, each).s, {
        ...s,
        flying: [],
        process: doubt,
        left: drops,
      })
      yield [`${first.from} is refused for now, the others are not`, refused]
      yield [
        'the connection is lost',
        { ...s, flying: [], stray: [...stray, ...flying], process: doubt, left: drops },
      ]
      yield [
        `${first.from} lands, the answer is lost`,
        { ...after, flying: [], stray: [...stray, ...rest], process: doubt, left: drops },
      ]
    }
  }
  if (process.acked === s.source && flying.length === 0) {
    const fine = !rules.endScan || chain(target, s.source, rules)
    yield fine
      ? ['the cut is made', { ...s, cut: true }]
      : ['the end is not its own: it stops', { ...s, stopped: true }]
  }
}

const started = (s: MirrorModel, { ordinalSequence }: Rules): MirrorModel => {
  const producer = ordinalSequence ? 1 : s.left.crashes + 1
  return { ...s, process: { producer, next: 0, acked: 0, doubt: true, proven: false, sent: 0 } }
}

/** How doubt ends: at the start, after a lost answer, after an error. */
function* resolved(
  s: MirrorModel,
  process: NonNullable<MirrorModel['process']>,
  rules: Rules,
): Generator<readonly [string, MirrorModel], void> {
  const known = s.remembers[process.producer] !== undefined
  if (rules.wait && s.stray.length > 0 && !known) return
  const at = rules.logEndIsTruth ? s.target.length : s.checkpoint
  if (rules.logEndIsTruth && rules.readBack && !chain(s.target, at, rules)) {
    yield ['what is there is not its own: it stops', { ...s, stopped: true }]
    return
  }
  yield [`it goes on at ${at}`, { ...s, process: { ...process, next: at, acked: at, doubt: false } }]
}

const answered = (
  s: MirrorModel,
  process: NonNullable<MirrorModel['process']>,
  batch: Batch,
  base: number | undefined,
  { prediction }: Rules,
): MirrorModel => {
  if (base === undefined) {
    // what flies behind it is drained by the broker before anybody looks
    const drained = s.flying.reduce((now, each) => append(now, each).s, s)
    return { ...drained, flying: [], process: { ...process, doubt: true, proven: false } }
  }
  if (prediction && base !== batch.from) return { ...s, stopped: true }
  return { ...s, process: { ...process, acked: batch.from + batch.count, proven: true } }
}

/** After the cut the new cluster is served: each record once, at its place, and nothing else. */
export const mirrorBroken = ({ cut, target, source }: MirrorModel): string | undefined => {
  if (!cut) return undefined
  const held = target.map(({ record }) => record)
  const wanted = Array.from({ length: source }, (_, i) => i)
  return held.join() === wanted.join()
    ? undefined
    : `the new cluster serves ${held.join()} for ${wanted.join()}`
}
