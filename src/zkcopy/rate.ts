import { KmigError } from '../kit/index.ts'

/** Most that is written a second; what is not named has no limit. */
export type Rate = { operations?: number | undefined; bytes?: number | undefined }

const UNITS: Record<string, number> = { '': 1, k: 1_000, m: 1_000_000, g: 1_000_000_000 }

/** `2000` or `2000/s` is operations, `5MB/s` or `512kB` bytes (powers of 1000); each may be given once. Throws USAGE. */
export const parseRate = (texts: readonly string[] = []): Rate | undefined => {
  const rate: Rate = {}
  for (const text of texts) {
    const [, number, unit] = /^(\d+(?:\.\d+)?)(?:\/s|([kKmMgG]?)B(?:\/s)?)?$/.exec(text) ?? []
    const kind = unit === undefined ? 'operations' : 'bytes'
    const value = Math.floor(Number(number) * (UNITS[unit?.toLowerCase() ?? ''] ?? 0))
    if (!(value >= 1) || rate[kind] !== undefined) {
      throw new KmigError('USAGE', `--rate '${text}' is neither operations a second nor bytes a second`, {
        try: ['write 2000 for operations, 5MB/s for bytes; give both for both, each once'],
      })
    }
    rate[kind] = value
  }
  return texts.length > 0 ? rate : undefined
}
