import { BaseCommand, countFlag, durationFlag, envelope, Flags, type View } from '../src/cli/index.ts'
import { EXIT, formatCount } from '../src/kit/index.ts'
import {
  ACL_MODES,
  agrees,
  JUTE_MAXBUFFER,
  parseMaxDelete,
  parseSince,
  type Report,
  readAuthFile,
  reportShape,
  reportText,
  type ZkCopyEvent,
  zkcopy,
} from '../src/zkcopy/index.ts'
import { parseConnectString } from '../src/zookeeper/index.ts'

const view: View<ZkCopyEvent, Report> = {
  schema: envelope(reportShape),
  human: reportText,
  exit: report => (report.check && !agrees(report) ? EXIT.difference : EXIT.ok),
  say: event => {
    if (event.kind !== 'connection') return undefined
    const { side, event: what } = event
    if (what.kind === 'lost') return `${side}: ${what.why}`
    return `${side}: ${what.kind === 'expired' ? 'the session expired, a new one begins' : `connected again to ${what.server}`}`
  },
  move: event => {
    if (event.kind !== 'progress') return undefined
    const { scanned, created, updated, unchanged } = event
    const written = formatCount(created + updated)
    return { text: `${formatCount(scanned)} read, ${written} written, ${formatCount(unchanged)} unchanged` }
  },
}

export default class ZkCopy extends BaseCommand {
  static override summary = 'copy the znodes below one root to another ensemble: only what differs'
  static override description =
    'Each batch is all or nothing. Ephemerals are never copied, nothing is deleted unless --delete is given, and the ' +
    'exit code is 0 only when all was done. A second run writes nothing, so run it again to catch up.'
  static override examples = [
    '<%= config.bin %> zkcopy --from 10.0.0.1:2181/kafka --to 10.0.1.1:2181/kafka',
    '<%= config.bin %> zkcopy --from old --to new --since 2026-01-31T08:00:00Z --batch 500',
    '<%= config.bin %> zkcopy --check',
  ]
  static override flags = {
    from: Flags.string({ summary: 'source: a name, or h1:2181,h2:2181/chroot', default: 'old' }),
    to: Flags.string({ summary: 'target: a name, or h1:2181,h2:2181/chroot', default: 'new' }),
    'from-auth': Flags.string({ summary: 'file of credentials of the source: digest:user:password' }),
    'to-auth': Flags.string({ summary: 'file of credentials of the target' }),
    since: Flags.string({ summary: 'copy what was modified then or later: ms since 1970 or ISO 8601' }),
    overlap: durationFlag({ summary: 'how much earlier than --since to begin', default: 120_000 }),
    batch: countFlag({ summary: 'operations per multi, 1-1000', default: 500, max: 1_000 }),
    acl: Flags.option({
      summary: "full: each znode's own; sample, uniform: the root's for all; open: anybody",
      options: ACL_MODES,
      default: 'full',
    })(),
    delete: Flags.boolean({ summary: 'remove what only the target has', exclusive: ['check', 'since'] }),
    'max-delete': Flags.string({
      summary: 'most that --delete may remove: a number, or a part of the target',
      default: '5%',
      helpValue: '<n|p%>',
    }),
    check: Flags.boolean({ summary: 'only compare; exit 3 if the sides differ' }),
    'jute-maxbuffer': countFlag({
      summary: 'largest request that the target takes, in bytes',
      default: JUTE_MAXBUFFER,
      min: 1_024,
    }),
  }

  async run(): Promise<Report> {
    const { flags } = await this.parse(ZkCopy)
    const end = (name: string, auth: string | undefined) => ({
      ...parseConnectString(this.zookeeper(name)),
      auth: auth === undefined ? undefined : readAuthFile(auth),
    })
    const from = end(flags.from, flags['from-auth'])
    const to = end(flags.to, flags['to-auth'])
    const sinceMs = flags.since === undefined ? undefined : parseSince(flags.since)
    const upTo = parseMaxDelete(flags['max-delete'])
    return await this.show(
      during =>
        zkcopy({
          ...during,
          from,
          to,
          sinceMs,
          overlapMs: flags.overlap,
          batch: flags.batch,
          acl: flags.acl,
          check: flags.check,
          deleteUpTo: flags.delete ? upTo : undefined,
          juteMaxBuffer: flags['jute-maxbuffer'],
        }),
      view,
    )
  }
}
