import type { ZodType } from 'zod'
import type { Exit } from '../kit/index.ts'
import type { Progress } from './progress.ts'

/** How a command shows its work: what the renderers of the terminal and of `--json` need to know. */
export type View<Event, Report> = {
  /** Form of the report at the JSON border (64-bit numbers are strings there), envelope included: see `envelope`. */
  schema: ZodType
  /** Default 1. Grows when a field changes its meaning or goes away. */
  schemaVersion?: number
  /** A line that stays, or nothing. */
  say?(event: Event): string | undefined
  /** The line that moves, or nothing. */
  move?(event: Event): Progress | undefined
  /** The report for people, on stderr. */
  human?(report: Report): string
  /** Data that a pipe may want, on stdout; only without `--json`. */
  data?(report: Report): string
  /** Default 0. `ok` in JSON says whether it is. */
  exit?(report: Report): Exit
}
