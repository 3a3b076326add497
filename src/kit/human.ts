import { KmigError } from './errors.ts'

const UNITS: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** `500ms`, `10s`, `2m`, `1h30m`, `7d` in ms. Throws USAGE. */
export const parseDuration = (text: string): number => {
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g)]
  if (parts.length === 0 || parts.map(part => part[0]).join('') !== text) {
    throw new KmigError('USAGE', `'${text}' is not a duration`, {
      try: ['write it as 500ms, 10s, 2m, 1h or 7d'],
    })
  }
  return parts.reduce((sum, [, n, unit]) => sum + Number(n) * (UNITS[unit ?? ''] ?? 0), 0)
}

/** As `parseDuration` reads it, in the largest unit that fits: `2m`, `90s`. */
export const shortDuration = (ms: number): string => {
  const [unit, size] = Object.entries(UNITS).findLast(([, each]) => ms >= each && ms % each === 0) ?? [
    'ms',
    1,
  ]
  return `${ms / size}${unit}`
}

/** `850 ms`, `12.3 s`, `4 m 05 s`, `3 h 20 m`, `2 d 4 h`. */
export const formatDuration = (ms: number): string => {
  if (ms < 1_000) return `${Math.round(ms)} ms`
  if (ms < 60_000) return `${(ms / 1_000).toFixed(1)} s`
  const two = (big: number, small: number) => [
    Math.floor(ms / big),
    String(Math.floor((ms % big) / small)).padStart(2, '0'),
  ]
  if (ms < 3_600_000) return two(60_000, 1_000).join(' m ').concat(' s')
  if (ms < 86_400_000) return two(3_600_000, 60_000).join(' h ').concat(' m')
  return two(86_400_000, 3_600_000).join(' d ').concat(' h')
}

/** `512 B`, `1.4 MB`: powers of 1000. */
export const formatBytes = (bytes: number | bigint): string => {
  const n = Number(bytes)
  const power = n < 1_000 ? 0 : Math.min(5, Math.floor(Math.log10(n) / 3))
  return power === 0 ? `${n} B` : `${(n / 1_000 ** power).toFixed(1)} ${'kMGTP'[power - 1]}B`
}

/** `500`, `64KB`, `50MB`, `1.5GB` in bytes: powers of 1000. Throws USAGE. */
export const parseBytes = (text: string): number => {
  const [, n = '', unit = ''] = /^(\d+(?:\.\d+)?) ?([kMGTP]?)B?$/i.exec(text) ?? []
  const bytes = Math.round(Number(n) * 1_000 ** ' kmgtp'.indexOf(unit.toLowerCase() || ' '))
  if (n !== '' && bytes > 0) return bytes
  throw new KmigError('USAGE', `'${text}' is not an amount of bytes`, {
    try: ['write it as 500KB, 50MB or 1GB'],
  })
}

/** `12.3 MB/s`. */
export const formatRate = (bytes: number | bigint, ms: number): string =>
  `${formatBytes(Math.round((Number(bytes) * 1_000) / Math.max(1, ms)))}/s`

/** `1,234,567`. */
export const formatCount = (n: number | bigint): string => String(n).replace(/\B(?=(\d{3})+(?!\d))/g, ',')

/** `1 topic`, `3 topics`. */
export const plural = (n: number | bigint, noun: string): string =>
  `${formatCount(n)} ${noun}${n === 1 || n === 1n ? '' : 's'}`
