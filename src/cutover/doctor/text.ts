import { plural } from '../../kit/index.ts'
import { blocking, type DoctorReport, type Told } from './doctor.ts'

const MARK = { error: 'BLOCKS', warning: 'warning' } as const

/** A line for each finding and what to do, then what was not looked at, then what is well. */
export const toldLines = ({ findings, checks }: Told): string[] => {
  const of = (is: Told['checks'][number]['is']) => checks.filter(each => each.is === is)
  const well = of('ok').map(({ id }) => id)
  return [
    ...[...findings]
      .sort((a, b) => rank(a) - rank(b))
      .flatMap(({ id, severity, evidence, fix, accepted }) => [
        `${accepted ? 'accepted' : MARK[severity]}  ${id}: ${evidence}`,
        `          ${fix}`,
      ]),
    ...of('not-checked').map(({ id, why }) => `not checked  ${id}: ${why}`),
    ...(well.length > 0 ? [`ok  ${well.join(', ')}`] : []),
  ]
}

/** The lines, then the verdict. */
export const doctorText = (report: DoctorReport): string => {
  const { from, to, topics, findings } = report
  const blocked = blocking(findings).length
  const verdict =
    blocked > 0
      ? `${plural(blocked, 'finding')} block a cutover: put them right, or take them with --accept ID`
      : 'nothing blocks a cutover'
  return [
    `'${from.name}' (${from.clusterId}) to '${to.name}' (${to.clusterId}), ${plural(topics, 'topic')}`,
    ...toldLines(report),
    verdict,
  ].join('\n')
}

const rank = ({ severity, accepted }: { severity: 'error' | 'warning'; accepted: boolean }): number =>
  accepted ? 1 : severity === 'error' ? 0 : 2
