import * as z from 'zod'
import { formatBytes, formatDuration } from '../../kit/index.ts'
import type { CheckedReport } from './check.ts'
import { certificateShape } from './shape.ts'

/** Fields of `kmig cutover check --json` besides the envelope. */
export const checkShape = {
  certificate: z.string(),
  run: z.string(),
  state: z.string(),
  verdict: certificateShape.shape.verdict.describe('as it was written'),
  equal: z.boolean().describe('nothing differs from the certificate'),
  findings: z.array(
    z.strictObject({
      kind: z.enum(['certificate', 'journal', 'plan', 'file', 'ends', 'group', 'contents']),
      where: z.string(),
      outcome: z.enum(['equal', 'differs', 'cannot']),
      text: z.string(),
    }),
  ),
  bytes: z.int().nonnegative(),
  ms: z.int().nonnegative(),
}

const WORDS = { equal: 'equal  ', differs: 'DIFFERS', cannot: 'cannot ' }

export const checkText = ({
  certificate,
  run,
  state,
  verdict,
  equal,
  findings,
  bytes,
  ms,
}: CheckedReport): string => {
  const same = findings.filter(({ outcome }) => outcome === 'equal')
  const others = findings.filter(({ outcome }) => outcome !== 'equal')
  return [
    `certificate ${certificate} of run ${run}, ${state}, ${verdict}`,
    ...same
      .filter(({ kind }) => kind !== 'contents' && kind !== 'group' && kind !== 'file')
      .map(({ kind, where, text }) => `${WORDS.equal} ${kind} ${where}: ${text}`),
    ...(['file', 'group', 'contents'] as const).flatMap(kind => {
      const count = same.filter(each => each.kind === kind).length
      return count > 0 ? [`${WORDS.equal} ${kind}: ${count} as the certificate says`] : []
    }),
    ...others.map(({ kind, where, outcome, text }) => `${WORDS[outcome]} ${kind} ${where}: ${text}`),
    `${formatBytes(bytes)} read in ${formatDuration(ms)}`,
    equal
      ? others.length > 0
        ? 'THE SAME, as far as it can still be compared'
        : 'THE SAME'
      : 'NOT THE SAME as when the certificate was made',
  ].join('\n')
}
