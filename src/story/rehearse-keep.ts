import { copyFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { type Certified, rehearsalReport } from '../cutover/index.ts'
import { makeDirectory, writeFileAtomic } from '../kit/index.ts'

/** Where a rehearsal keeps what is looked at later. */
export type Room = { directory: string; report: string }

/** Throws PREFLIGHT where it can't be made. */
export const makeRoom = (stateDir: string, id: string): Room => {
  const report = rehearsalReport(stateDir, id)
  makeDirectory(dirname(report))
  return { directory: dirname(report), report }
}

export type KeptCertificate = { path: string; html: string; verdict: string; unexplained: string[] }

/** The clusters that it is of go; it stays. */
export const keepCertificate = async (
  { directory }: Room,
  made: Certified | undefined,
): Promise<KeptCertificate | undefined> => {
  if (!made) return undefined
  const [path, html] = [join(directory, 'certificate.json'), join(directory, 'certificate.html')]
  await copyFile(made.path, path)
  await copyFile(made.html, html)
  return { path, html, verdict: made.verdict, unexplained: [...made.unexplained] }
}

/** Written last: a rehearsal that has no report came to no verdict. */
export const keepReport = async <Report>({ report: path }: Room, report: Report): Promise<Report> => {
  const whole = { schemaVersion: 1, command: 'rehearse', ...report }
  await writeFileAtomic(path, `${JSON.stringify(whole, undefined, 2)}\n`)
  return report
}
