import { readFileSync } from 'node:fs'
import * as z from 'zod'
import { Cluster, type ClusterAddress } from '../../kafka/index.ts'
import { type During, KmigError, messageOf, parseBootstrap } from '../../kit/index.ts'
import type { VerifyEvent } from '../../verify/index.ts'
import { checkContents } from './check-contents.ts'
import { checkFiles, checkItself, checkJournal, checkPlan } from './check-files.ts'
import { checkEnds, checkGroups } from './check-live.ts'
import type { Finding } from './finding.ts'
import { type Certificate, certificateShape } from './shape.ts'

export type CheckOptions = During<VerifyEvent> & {
  /** File of a certificate; the run's journal and plan are looked for beside it. */
  path: string
  /** Contents are not read again. */
  quick?: boolean | undefined
  maxRate?: number | undefined
  /** How a cluster of this name is spoken to; addresses are those of the certificate. */
  access?: ((name: string) => Pick<ClusterAddress, 'security' | 'clientId'>) | undefined
}

/** What a certificate says, held against clusters and files as they are now. */
export type CheckedReport = {
  certificate: string
  run: string
  state: string
  /** As it was written. */
  verdict: Certificate['verdict']
  equal: boolean
  findings: Finding[]
  bytes: number
  ms: number
}

/** Changes nothing. Throws USAGE if the file is no certificate, UNREACHABLE, PREFLIGHT if a cluster is another one. */
export const checkCertificate = async (options: CheckOptions): Promise<CheckedReport> => {
  const started = performance.now()
  const { path, access, quick, signal } = options
  const certificate = readCertificate(path)
  const { clusters, runId, state, verdict } = certificate
  const addressOf = ({
    name,
    bootstrap,
    protocol = 'PLAINTEXT',
  }: Certificate['clusters']['old']): ClusterAddress => ({
    ...(protocol === 'PLAINTEXT' ? {} : access?.(name)),
    ...{ name, bootstrap: parseBootstrap(bootstrap.join(',')) },
  })
  const [from, to] = [addressOf(clusters.old), addressOf(clusters.new)]
  const findings = [
    ...checkItself(certificate),
    ...checkJournal(path, certificate),
    ...checkPlan(path, certificate),
    ...checkFiles(certificate),
  ]
  await using old = await Cluster.open({ ...from, signal })
  await using next = await Cluster.open({ ...to, signal })
  refuseOther(clusters.old, old)
  refuseOther(clusters.new, next)
  const live = { certificate, old, next, signal }
  findings.push(...(await checkEnds(live)), ...(await checkGroups(live)))
  const contents = quick
    ? { findings: [cannotRead], bytes: 0 }
    : await checkContents({ ...live, from, to, maxRate: options.maxRate, on: options.on })
  findings.push(...contents.findings)
  const equal = findings.every(({ outcome }) => outcome !== 'differs')
  const ms = Math.round(performance.now() - started)
  return { certificate: path, run: runId, state, verdict, equal, findings, bytes: contents.bytes, ms }
}

const cannotRead: Finding = {
  kind: 'contents',
  where: 'all',
  outcome: 'cannot',
  text: 'not read, by --quick',
}

const readCertificate = (path: string): Certificate => {
  try {
    return certificateShape.parse(JSON.parse(readFileSync(path, 'utf8')))
  } catch (cause) {
    const why = cause instanceof z.ZodError ? z.prettifyError(cause) : messageOf(cause)
    throw new KmigError('USAGE', `${path} is no certificate of a cutover: ${why}`, {
      try: ['name the certificate.json in the directory of the run: kmig cutover status tells it'],
      cause,
    })
  }
}

const refuseOther = ({ name, id }: Certificate['clusters']['old'], { clusterId }: Cluster): void => {
  if (clusterId === id) return
  throw new KmigError('PREFLIGHT', `'${name}' is cluster ${clusterId} now, the certificate is of ${id}`, {
    try: ['see that the addresses in the certificate still are those of its clusters'],
  })
}
