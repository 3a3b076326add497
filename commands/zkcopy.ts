import {
  BaseCommand,
  countFlag,
  durationFlag,
  envelope,
  Flags,
  followFlags,
  keepFlags,
  pathFlags,
  type View,
} from '../src/cli/index.ts'
import { EXIT } from '../src/kit/index.ts'
import {
  ACL_MODES,
  differs,
  eventText,
  JUTE_MAXBUFFER,
  moveOf,
  type Report,
  reportShape,
  reportText,
  type ZkCopyEvent,
  zkcopy,
  zkcopyOptions,
} from '../src/zkcopy/index.ts'

const view: View<ZkCopyEvent, Report> = {
  schema: envelope(reportShape),
  human: reportText,
  exit: report => (differs(report) ? EXIT.difference : EXIT.ok),
  say: eventText,
  move: moveOf,
}

export default class ZkCopy extends BaseCommand {
  static override summary = 'copy the znodes below one root to another ensemble: only what differs'
  static override description =
    'Each batch is all or nothing. Ephemerals are never copied, nothing is deleted unless --delete is given, and the ' +
    'exit code is 0 only when all was done. A second run writes nothing, so run it again to catch up.'
  static override examples = [
    '<%= config.bin %> zkcopy --from 10.0.0.1:2181/kafka --to 10.0.1.1:2181/kafka',
    '<%= config.bin %> zkcopy --from old --to new --since 2026-01-31T08:00:00Z --batch 500',
    '<%= config.bin %> zkcopy --state app.state --tail --until-quiet 2s',
    '<%= config.bin %> zkcopy --check',
  ]
  static override flags = {
    from: Flags.string({ summary: 'source: a name, or h1:2181,h2:2181/chroot', default: 'old' }),
    to: Flags.string({ summary: 'target: a name, or h1:2181,h2:2181/chroot', default: 'new' }),
    'from-auth': Flags.string({ summary: 'file of credentials of the source: digest:user:password' }),
    'to-auth': Flags.string({ summary: 'file of credentials of the target' }),
    since: Flags.string({ summary: 'copy what was modified then or later: ms since 1970 or ISO 8601' }),
    overlap: durationFlag({ summary: 'how much earlier than --since to begin', default: 120_000 }),
    ...pathFlags,
    state: Flags.string({ summary: 'file that keeps how far the last run got', helpValue: '<file>' }),
    batch: countFlag({ summary: 'operations per multi, 1-1000', default: 500, max: 1_000 }),
    ...followFlags,
    acl: Flags.option({
      summary: "full: each znode's own; sample, uniform: the root's for all; open: anybody",
      options: ACL_MODES,
      default: 'full',
    })(),
    'acl-map': Flags.string({
      summary: 'ids of ACLs to rewrite, scheme:id=scheme:id (repeatable)',
      multiple: true,
      helpValue: '<old=new>',
    }),
    ...keepFlags,
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
    const ends = {
      ...{ from: this.zookeeper(flags.from), to: this.zookeeper(flags.to) },
      'from-auth': this.zookeeperLogin(flags.from, flags['from-auth']),
      'to-auth': this.zookeeperLogin(flags.to, flags['to-auth']),
    }
    const options = zkcopyOptions({ ...flags, ...ends })
    return await this.show(during => zkcopy({ ...options, ...during }), view)
  }
}
