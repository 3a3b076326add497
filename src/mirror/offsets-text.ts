import { plural } from '../kit/index.ts'
import type { GroupRow } from '../offsets/index.ts'
import type { GroupOffsetsReport, TranslateReport } from './offsets.ts'

const outcomeText = ({ outcome }: GroupRow): string => {
  switch (outcome.kind) {
    case 'committed':
      return `moved to ${outcome.at}`
    case 'movable':
      return `goes to ${outcome.at}`
    case 'unchanged':
    case 'renewed':
      return `is there: ${outcome.at}`
    case 'waiting':
      return `waits: the copy holds source offsets before ${outcome.copied}`
    case 'kept':
      return `kept at ${outcome.at}: ${outcome.why}`
    case 'refused':
      return `can't be moved: ${outcome.why}`
    default:
      throw outcome satisfies never
  }
}

/** Group offsets for people: one a line. */
export const groupOffsetsText = ({ name, rows, refused, excluded }: GroupOffsetsReport): string =>
  [
    `group offsets of mirror ${name}: ${plural(rows.length, 'offset')}, ${plural(refused.length, 'group')} that can't be moved`,
    ...rows.map(row => {
      const { group, topic, partition, source, target } = row
      return `  ${group} ${topic}-${partition}: source ${source}, target ${target ?? 'none'}: ${outcomeText(row)}`
    }),
    ...refused.map(({ group, why }) => `  ${group}: can't be moved: ${why}`),
    ...excluded.map(({ group, topic, why }) => `  ${group}${topic ? ` on ${topic}` : ''}: left out: ${why}`),
  ].join('\n')

const WHY = {
  'before-first-run': 'the copy begins after it',
  filler: 'a control record stands there, that fills a hole of the source',
}

/** Translations for people. */
export const translateText = (report: TranslateReport): string => {
  const { name, topic, partition, mode, modeWhy, translatedFrom, copied, end, holes, runs, translations } =
    report
  const from = translatedFrom === undefined ? '' : ` from source offset ${translatedFrom} on (${modeWhy})`
  return [
    `${topic}-${partition} of mirror ${name}: ${mode}${from}; source offsets before ${copied} are on the target, which ends at ${end}; ${plural(holes, 'hole')}, ${plural(runs, 'run')}`,
    ...translations.map(each => {
      if (each.kind === 'exact') return `  ${each.offset} -> ${each.at}`
      if (each.kind === 'wait') return `  ${each.offset}: not copied yet; the mirror is at ${each.mirroredTo}`
      return `  ${each.offset}: ${WHY[each.why]}`
    }),
  ].join('\n')
}

/** One line an offset for a pipe: where it is, or a dash. */
export const translateData = ({ translations }: TranslateReport): string =>
  translations.map(each => (each.kind === 'exact' ? `${each.at}` : '-')).join('\n')
