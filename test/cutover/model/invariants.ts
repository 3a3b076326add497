import type { Idle } from './cutover-model.ts'
import type { Durable } from './world.ts'

const cutOf = ({ last }: Durable): number | undefined =>
  last && 'cut' in last ? Number(last.cut['orders-0']) : undefined

const times = (log: readonly number[], record: number): number => log.filter(each => each === record).length

/** What must hold whenever no process of kmig is at work; undefined: it does. */
export const brokenIn = ({ d, how }: Idle): string | undefined => {
  if (how === 'killed' || how === 'begin') return undefined // the same command goes on, and is looked at then
  const at = d.last?.at
  const misread = readWrong(d)
  if (misread !== undefined) return `${at}: ${misread}`
  if (at === 'switched') return switchedWrong(d)
  if (at === 'aborted' || at === 'rolled-back') return oldWorldWrong(d)
  return undefined
}

/** A group reads each record once, in order, wherever it is; and it stands, and runs, where it has been told to. */
const readWrong = ({ reader, read, old, next, groups, moved, last }: Durable): string | undefined => {
  if (reader === 'none') return undefined
  if (new Set(read).size < read.length) return `the group has read ${read}`
  const ended = last?.at === 'aborted' || last?.at === 'switched' || last?.at === 'rolled-back'
  const home = moved ? 'new' : 'old'
  if (ended && reader !== home) return `the readers are ${reader}, their offsets on the ${home} cluster`
  const [log, at] = moved ? [next, groups.next] : [old, groups.old]
  const before = log.slice(1, at)
  return read.join() === before.join() ? undefined : `the group stands at ${at} and has read ${read}`
}

/** The old world is served: each record that was acknowledged is there once, files are as they were, clients write there. */
const oldWorldWrong = (d: Durable): string | undefined => {
  if (d.files.includes('new')) return `${d.last?.at}: the files are ${d.files}`
  for (let record = 0; record < d.records; record++) {
    const n = times(d.old, record)
    if (n !== 1) return `${d.last?.at}: record ${record} is ${n} times on the old cluster`
  }
  if (d.clients.some(each => each !== 'old')) return `${d.last?.at}: clients are ${d.clients}`
  if (d.staged) return `${d.last?.at}: files are still staged`
  return undefined
}

/** The new world is served: each acknowledged record is there once, or named as stranded; nothing of anybody else below the cut. */
const switchedWrong = (d: Durable): string | undefined => {
  const cut = cutOf(d) ?? 0
  if (d.files.includes('old')) return `switched: the files are ${d.files}`
  if (d.clients.some(each => each !== 'new')) return `switched: clients are ${d.clients}`
  if (d.readersFirst && !d.moved) return 'switched: readers that should go first have not'
  if (!d.moved && d.groups.next !== d.groups.old)
    return `switched: the group resumes at ${d.groups.next}, not ${d.groups.old}`
  const below = d.old.slice(0, cut)
  if (d.next.slice(0, cut).join() !== below.join())
    return `switched: below the cut the new cluster holds ${d.next.slice(0, cut)}, the old one ${below}`
  const stranded = d.last?.at === 'switched' && d.last.stranded.length > 0
  for (let record = 0; record < d.records; record++) {
    const n = times(d.next, record)
    if (n > 1) return `switched: record ${record} is ${n} times on the new cluster`
    if (n === 1 || d.late.includes(record)) continue
    if (!(stranded && d.old.slice(cut).includes(record)))
      return `switched: record ${record} is lost, and not named`
  }
  return undefined
}
