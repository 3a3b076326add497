import { KmigError } from '../kit/index.ts'
import { type Base, RunMap } from './run-map.ts'

/** Runs of one value in the state topic: the last one is written again with every gap, so it stays small. */
const CHUNK = 256
/** Numbers of runs are short in this base. */
const RADIX = 36
const FORM = /^\d+ \d+( [0-9a-z]+\+[0-9a-z]+)*$/

/**
 * A run map as numbered texts: `start ordinal` of the first run, then for each next run how many records the run before
 * it has, and how long the gap between them is. Only the last text ever changes.
 */
export const textOf = (map: RunMap, chunk: number): string => {
  const first = chunk * CHUNK
  const end = Math.min(map.runs, first + CHUNK)
  const parts = [`${map.startOf(first)} ${map.ordinalOfRun(first)}`]
  for (let run = first + 1; run < end; run++) {
    const records = map.ordinalOfRun(run) - map.ordinalOfRun(run - 1)
    const gap = map.startOf(run) - map.startOf(run - 1) - records
    parts.push(`${records.toString(RADIX)}+${gap.toString(RADIX)}`)
  }
  return parts.join(' ')
}

/** Texts that changed, and numbers of those that are no more, since the map's `changedFrom` was last reset. */
export const changedTexts = (map: RunMap, chunks: number): { chunk: number; text: string | null }[] => {
  const { changedFrom } = map
  if (changedFrom === undefined) return []
  const all = Math.ceil(map.runs / CHUNK)
  const changed = Math.min(Math.floor(changedFrom / CHUNK), all - 1)
  const texts = Array.from({ length: all - changed }, (_, i) => ({
    chunk: changed + i,
    text: textOf(map, changed + i) as string | null,
  }))
  for (let chunk = all; chunk < chunks; chunk++) texts.push({ chunk, text: null })
  return texts
}

/** The map that these texts are of, in order. Throws STATE_DAMAGED. `where`: for the error. */
export const mapOf = (base: Base, texts: readonly string[], where: string): RunMap => {
  const map = new RunMap(base)
  for (const [chunk, text] of texts.entries()) {
    const [start = '', ordinal = '', ...runs] = text.split(' ')
    if (!FORM.test(text)) throw damaged(where, chunk, `it reads '${text.slice(0, 60)}'`)
    let at = { start: BigInt(start), ordinal: BigInt(ordinal) }
    const before = chunk === 0 ? { start: base.source, ordinal: base.ordinal } : lastOf(map)
    if (at.start < before.start || at.ordinal < before.ordinal || chunk > 0 === (map.runs % CHUNK !== 0))
      throw damaged(where, chunk, `it begins at ${at.start} ${at.ordinal} after ${map.runs} runs`)
    if (chunk === 0) {
      if (at.ordinal !== base.ordinal) throw damaged(where, chunk, `it begins at ordinal ${at.ordinal}`)
      if (at.start > base.source) map.gap({ from: base.source, to: at.start as typeof base.source })
    } else map.push(at.start, at.ordinal)
    for (const run of runs) {
      const [records = 0n, gap = 0n] = run.split('+').map(digits => parse(digits))
      at = { start: at.start + records + gap, ordinal: at.ordinal + records }
      map.push(at.start, at.ordinal)
    }
  }
  map.changedFrom = undefined
  return map
}

const lastOf = (map: RunMap) => ({
  start: map.startOf(map.runs - 1),
  ordinal: map.ordinalOfRun(map.runs - 1),
})

/** Most fit a number exactly; BigInt has no parser for this base. */
const parse = (digits: string): bigint => {
  if (digits.length <= 10) return BigInt(Number.parseInt(digits, RADIX))
  return [...digits].reduce((sum, digit) => sum * BigInt(RADIX) + BigInt(Number.parseInt(digit, RADIX)), 0n)
}

const damaged = (where: string, chunk: number, why: string): KmigError =>
  new KmigError('STATE_DAMAGED', `part ${chunk} of the run map of ${where}: ${why}`, {
    try: [
      'use the version of kmig that wrote it',
      'or delete the topic __kmig.<name> on the target: the next start finds copies with identical offsets again by what they hold',
    ],
  })
