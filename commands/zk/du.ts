import { BaseCommand, countFlag, envelope, Flags, type View } from '../../src/cli/index.ts'
import { formatBytes, formatCount } from '../../src/kit/index.ts'
import { type DuEvent, type DuReport, du, duShape, duText, endOf } from '../../src/zkcopy/index.ts'

const view: View<DuEvent, DuReport> = {
  schema: envelope(duShape),
  human: duText,
  move: ({ znodes, bytes }) => ({ text: `${formatCount(znodes)} znodes, ${formatBytes(bytes)}` }),
}

export default class ZkDu extends BaseCommand {
  static override summary = 'count znodes and bytes below each prefix'
  static override description = 'Reads every znode and writes nothing. Bytes are those of the data.'
  static override examples = [
    '<%= config.bin %> zk du --from 10.0.0.1:2181/kafka',
    '<%= config.bin %> zk du --from old --depth 3 --top 20',
  ]
  static override flags = {
    from: Flags.string({ summary: 'ensemble: a name, or h1:2181,h2:2181/chroot', default: 'old' }),
    'from-auth': Flags.string({ summary: 'file of credentials: digest:user:password' }),
    depth: countFlag({
      summary: 'levels below the root that are told apart',
      default: 1,
      min: 0,
      max: 1_000,
    }),
    top: countFlag({ summary: 'most prefixes that are listed, the largest', default: 50 }),
  }

  async run(): Promise<DuReport> {
    const { flags } = await this.parse(ZkDu)
    const from = endOf(this.zookeeper(flags.from), this.zookeeperLogin(flags.from, flags['from-auth']))
    return await this.show(during => du({ ...during, from, depth: flags.depth, top: flags.top }), view)
  }
}
