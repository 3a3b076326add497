import type { Writable } from 'node:stream'
import type { During } from '../kit/index.ts'
import { type Acl, joinPath } from '../zookeeper/index.ts'
import { AclTable } from './acls.ts'
import { refuseOverwrite, writeDumpFile, writeDumpStream } from './dump-file.ts'
import { DUMP_VERSION, type Header, LineSum, nodeText } from './dump-format.ts'
import type { End } from './ensembles.ts'
import { OneEnsemble } from './one-ensemble.ts'
import { scan } from './scan.ts'
import { note, type Paths, paths } from './tally.ts'
import { unmasked } from './unmasked.ts'

export type DumpReport = {
  from: string
  /** `-` for stdout. */
  file: string
  znodes: number
  ephemerals: number
  /** Of data. */
  bytes: number
  /** Of the file. */
  fileBytes: number
  zxidFrom: bigint
  zxidTo: bigint
  sha256: string
  vanished: Paths
  elapsedMs: number
}
export type DumpEvent = { kind: 'progress'; znodes: number; bytes: number }
export type DumpOptions = During<DumpEvent> & {
  from: End
  /** A name, or a stream that is written and left open. */
  to: string | Writable
  overwrite?: boolean | undefined
  withinMs?: number | undefined
}

/**
 * Writes every znode with data, ACL and Stat, parents before children. Each line is as it was at one moment between the
 * two zxids; the whole is no snapshot unless writers are blocked.
 * Throws USAGE, ZK_NO_NODE, ZK_NO_AUTH, ZK_MASKED_ACL, UNREACHABLE; no file appears then.
 */
export const dump = async (options: DumpOptions): Promise<DumpReport> => {
  const { from, to, signal, withinMs } = options
  const startedAt = performance.now()
  if (typeof to === 'string') await refuseOverwrite(to, { overwrite: options.overwrite ?? false })
  await using ensemble = await OneEnsemble.open(from, { signal, withinMs })
  await ensemble.mustHaveRoot()
  const zxidFrom = await ensemble.sync(signal)
  const report: DumpReport = {
    from: ensemble.name,
    file: typeof to === 'string' ? to : '-',
    znodes: 0,
    ephemerals: 0,
    bytes: 0,
    fileBytes: 0,
    zxidFrom,
    zxidTo: zxidFrom,
    sha256: '',
    vanished: paths(),
    elapsedMs: 0,
  }
  const text = linesOfDump(ensemble, report, options)
  report.fileBytes =
    typeof to === 'string' ? await writeDumpFile(to, text, signal) : await writeDumpStream(to, text, signal)
  report.elapsedMs = Math.round(performance.now() - startedAt)
  return report
}

async function* linesOfDump(
  ensemble: OneEnsemble,
  report: DumpReport,
  { signal, on, from: { chroot: root } }: DumpOptions,
): AsyncGenerator<string, void> {
  const sum = new LineSum()
  const line = (json: string): string => {
    sum.add(json)
    return `${json}\n`
  }
  const header: Header = {
    kind: 'header',
    format: 'kmig-zk-dump',
    version: DUMP_VERSION,
    from: ensemble.name,
    root,
    zxid: String(report.zxidFrom),
    at: new Date().toISOString(),
  }
  yield line(JSON.stringify(header))
  const table = new AclTable()
  const onVanished = (path: string) => note(report.vanished, path)
  for await (const group of scan({ reader: ensemble.reader, root, withAcls: true, signal, onVanished })) {
    let some = ''
    for (const node of group) {
      const path = joinPath(root, node.path)
      const acl = unmasked(table, node.acl as Acl, { path, flag: '--from-auth' })
      some += line(nodeText({ ...node, acl }))
      report.znodes++
      report.bytes += node.data?.length ?? 0
      if (node.stat.ephemeral) report.ephemerals++
    }
    yield some
    on?.({ kind: 'progress', znodes: report.znodes, bytes: report.bytes })
  }
  report.zxidTo = await ensemble.sync(signal)
  report.sha256 = sum.sha256()
  const footer = { kind: 'footer', znodes: report.znodes, zxid: String(report.zxidTo), sha256: report.sha256 }
  yield `${JSON.stringify(footer)}\n`
}
