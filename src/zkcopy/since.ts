import { KmigError } from '../kit/index.ts'

/**
 * A point in time in ms: a whole number of ms since 1970, or ISO 8601 (a date, or date and time; without a zone it is
 * UTC). Throws USAGE.
 */
export const parseSince = (text: string): number => {
  if (/^\d+$/.test(text) && Number.isSafeInteger(Number(text))) return Number(text)
  const iso = /^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:?\d\d)?)?$/.exec(text)
  const ms = iso ? Date.parse(iso[1] && !iso[4] ? `${text}Z` : text) : Number.NaN
  if (ms >= 0) return ms
  throw new KmigError('USAGE', `--since '${text}' is no point in time`, {
    try: ['give ms since 1970 (the nextSince of the run before), or ISO 8601: 2026-01-31T08:00:00Z'],
  })
}
