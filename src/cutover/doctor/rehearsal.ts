import { type During, formatDuration } from '../../kit/index.ts'
import { type Rehearsal, rehearsalsIn } from '../rehearsals.ts'
import type { Facts } from './facts.ts'
import { list, looked, notChecked, type Outcome } from './finding.ts'

export type RehearsalOptions = During & {
  stateDir: string
  /** A rehearsal of what moves must be younger, ms; undefined: none is asked for. */
  rehearsedWithinMs?: number | undefined
}

const ID = 'rehearsal-age'
const FIX =
  'kmig rehearse with the same --from, --topics, --exclude and --state-dir, on clones or on shadow topics; it changes nothing that clients see'

/** Whether the newest rehearsal of what moves went well, and is young enough. */
export const rehearsalAge = (
  { old, moving }: Pick<Facts, 'old' | 'moving'>,
  { stateDir, rehearsedWithinMs }: Omit<RehearsalOptions, keyof During>,
  nowMs = Date.now(),
): Outcome => {
  if (rehearsedWithinMs === undefined)
    return notChecked(ID, 'no rehearsal was asked for (--require-rehearsal)')
  const moves = { clusterId: old.cluster.clusterId, topics: [...moving] }
  const all = rehearsalsIn(stateDir).reverse()
  const newest = all.find(each => otherOf(each, moves) === undefined)
  const evidence = newest ? wrongWith(newest, rehearsedWithinMs, nowMs) : noneOf(all[0], moves, stateDir)
  return looked(ID, evidence === undefined ? [] : [{ severity: 'error', evidence, fix: FIX }])
}

type Moves = { clusterId: string; topics: readonly string[] }

/** Why a rehearsal was of something else. */
const otherOf = ({ from, topics }: Rehearsal, moves: Moves): string | undefined => {
  if (from.clusterId !== moves.clusterId) return `it was of cluster ${from.clusterId}`
  const known = new Set(topics)
  const absent = moves.topics.filter(topic => !known.has(topic))
  return absent.length > 0 ? `it was without ${list(absent)}` : undefined
}

const wrongWith = ({ at, ok }: Rehearsal, withinMs: number, nowMs: number): string | undefined => {
  const ageMs = nowMs - Date.parse(at)
  if (!ok) return `the newest rehearsal of these topics, of ${at}, failed`
  if (ageMs <= withinMs) return undefined
  return `the newest rehearsal of these topics is ${formatDuration(ageMs)} old, of ${at}; it may be ${formatDuration(withinMs)} old`
}

const noneOf = (newest: Rehearsal | undefined, moves: Moves, stateDir: string): string =>
  newest
    ? `no rehearsal of these topics is known; the newest is of ${newest.at}: ${otherOf(newest, moves)}`
    : `no rehearsal is known: ${stateDir} keeps none`
