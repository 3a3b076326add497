import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { messageOf, readJournal } from '../../kit/index.ts'
import { canonical } from '../canonical.ts'
import { chained } from './certificate.ts'
import type { Finding } from './finding.ts'
import type { Certificate } from './shape.ts'

const sha256 = (bytes: string | Buffer): string => createHash('sha256').update(bytes).digest('hex')

/** Digests of partitions are those of their windows: nobody has edited one of them alone. */
export const checkItself = ({ partitions }: Certificate): Finding[] => {
  const kind = 'certificate' as const
  const wrong = partitions.filter(
    ({ windows, digestOld, digestNew }) =>
      (digestOld !== undefined && digestOld !== chained(windows.map(each => each.digestOld))) ||
      (digestNew !== undefined && digestNew !== chained(windows.map(each => each.digestNew))),
  )
  if (wrong.length === 0)
    return [{ kind, where: 'digests', outcome: 'equal', text: 'are those of their windows' }]
  return wrong.map(({ topic, partition }) => ({
    ...{ kind, where: `${topic}-${partition}`, outcome: 'differs' as const },
    text: 'its digest is not that of its windows: the certificate was changed',
  }))
}

/** The journal's chain is whole, and holds the place that the certificate was made at. */
export const checkJournal = (certificate: string, { journalSha256 }: Certificate): Finding[] => {
  const path = join(dirname(certificate), 'cutover.journal')
  const about = { kind: 'journal' as const, where: path }
  if (!existsSync(path))
    return [{ ...about, outcome: 'cannot', text: 'the journal is not beside the certificate' }]
  try {
    const { last } = readJournal(path)
    const held = last === journalSha256 || readFileSync(path, 'utf8').includes(`"prev":"${journalSha256}"`)
    return held
      ? [{ ...about, outcome: 'equal', text: 'its chain is whole and goes through the certificate' }]
      : [{ ...about, outcome: 'differs', text: 'it is not the journal that the certificate was made of' }]
  } catch (e) {
    return [{ ...about, outcome: 'differs', text: messageOf(e) }]
  }
}

export const checkPlan = (certificate: string, { planHash }: Certificate): Finding[] => {
  const path = join(dirname(certificate), 'plan.json')
  const about = { kind: 'plan' as const, where: path }
  if (!existsSync(path))
    return [{ ...about, outcome: 'cannot', text: 'the plan is not beside the certificate' }]
  try {
    const { hash: _, ...document } = JSON.parse(readFileSync(path, 'utf8'))
    const now = sha256(canonical(document))
    return now === planHash
      ? [{ ...about, outcome: 'equal', text: 'it is the plan that was acted on' }]
      : [{ ...about, outcome: 'differs', text: `its hash is ${now}, the certificate says ${planHash}` }]
  } catch (e) {
    return [{ ...about, outcome: 'differs', text: messageOf(e) }]
  }
}

/** Discovery files: as the cutover left them, or after a rollback as they were before. */
export const checkFiles = ({ discovery, files, state }: Certificate): Finding[] =>
  files.map(({ path, before, after }) => {
    const about = { kind: 'file' as const, where: path }
    const back = state === 'rolled-back'
    const wanted = back ? before : after
    const full = join(discovery, path)
    if (!existsSync(full)) return { ...about, outcome: 'differs', text: `${full} is gone` }
    const now = sha256(readFileSync(full))
    if (now === wanted) return { ...about, outcome: 'equal', text: 'has the bytes that it was left with' }
    const other = now === (back ? after : before)
    const text = other
      ? `names the ${back ? 'new' : 'old'} cluster again`
      : `was changed since: SHA-256 ${now}, the certificate says ${wanted}`
    return { ...about, outcome: 'differs', text }
  })
