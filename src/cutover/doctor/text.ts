import { plural } from '../../kit/index.ts'
import { blocking, type DoctorReport } from './doctor.ts'

const MARK = { error: 'BLOCKS', warning: 'warning' } as const

/** A line for each finding and what to do, then what was not looked at, then the verdict. */
export const doctorText = ({ from, to, topics, findings, checks }: DoctorReport): string => {
  const of = (is: DoctorReport['checks'][number]['is']) => checks.filter(each => each.is === is)
  const rows = [...findings]
    .sort((a, b) => rank(a) - rank(b))
    .flatMap(({ id, severity, evidence, fix, accepted }) => [
      `${accepted ? 'accepted' : MARK[severity]}  ${id}: ${evidence}`,
      `          ${fix}`,
    ])
  const skipped = of('not-checked').map(({ id, why }) => `not checked  ${id}: ${why}`)
  const blocked = blocking(findings).length
  const verdict =
    blocked > 0
      ? `${plural(blocked, 'finding')} block a cutover: put them right, or take them with --accept ID`
      : 'nothing blocks a cutover'
  return [
    `'${from.name}' (${from.clusterId}) to '${to.name}' (${to.clusterId}), ${plural(topics, 'topic')}`,
    ...rows,
    ...skipped,
    `ok  ${of('ok')
      .map(({ id }) => id)
      .join(', ')}`,
    verdict,
  ].join('\n')
}

const rank = ({ severity, accepted }: { severity: 'error' | 'warning'; accepted: boolean }): number =>
  accepted ? 1 : severity === 'error' ? 0 : 2
