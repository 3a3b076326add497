import { EXIT, isKmigError, messageOf } from '../kit/index.ts'

/** An error as every command shows it. */
export type Failure = { code: string; message: string; try: readonly string[]; exit: number }

/** What oclif adds to its own errors; told by shape, so that its classes need not be loaded. */
type OclifError = Error & { oclif?: { exit?: number | false }; parse?: unknown }

export const isQuietExit = (e: unknown): boolean =>
  e instanceof Error && 'code' in e && (e.code === 'EEXIT' || e.code === 'EPIPE')

/** What oclif writes around the text of an error. */
const withoutOclif = (message: string): string =>
  message
    .replace(/^Parsing (--[\w-]+) \n\t/, '$1: ')
    .replace(/\nSee more help with --help\s*$/, '')
    .replace(/^The following errors? occurred:\n/, '')
    .replace(/^ +/gm, '')

/** What a file system refuses for reasons outside of kmig. */
const DISK: readonly string[] = [
  ...['ENOSPC', 'EDQUOT', 'EFBIG', 'EROFS', 'EACCES', 'EPERM'],
  ...['ENOTDIR', 'EISDIR', 'ENAMETOOLONG', 'ELOOP', 'EIO'],
]
const isDisk = (e: unknown): boolean => {
  const { code, syscall } = (e ?? {}) as NodeJS.ErrnoException
  return e instanceof Error && syscall !== undefined && DISK.includes(code ?? '')
}

/** Any thrown value by code, message, what to try and exit code. Unknown ones are BUG, exit 1. */
export const failureOf = (e: unknown, help: string): Failure => {
  const message = withoutOclif(messageOf(e))
  if (isKmigError(e)) {
    const next = e.code === 'USAGE' && e.suggestions.length === 0 ? [help] : e.suggestions
    return { code: e.code, message, try: next, exit: e.exit }
  }
  if ((e as OclifError | undefined)?.oclif) return { code: 'USAGE', message, try: [help], exit: 2 }
  if (isDisk(e)) {
    const next = ['make room or give the rights, and run it again', 'see --state-dir']
    return { code: 'PREFLIGHT', message, try: next, exit: EXIT.refused }
  }
  return {
    code: 'BUG',
    message: `unexpected: ${message}`,
    try: ['run it again with KMIG_DEBUG=1 and report what it prints'],
    exit: 1,
  }
}

/** The failure for people, on several lines. */
export const failureText = ({ code, message, try: next }: Failure): string =>
  [`${code}: ${message}`, ...next.map(step => `  try: ${step}`)].join('\n')

/** The causes under an error, one a line; with stacks when debugging. */
export const causesText = (e: unknown, options: { stacks: boolean }): string => {
  const lines: string[] = []
  for (let cause = e; cause instanceof Error && lines.length < 10; cause = cause.cause) {
    lines.push(options.stacks ? (cause.stack ?? cause.message) : `  cause: ${cause.message}`)
  }
  return (options.stacks ? lines : lines.slice(1)).join('\n')
}
