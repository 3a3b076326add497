import { Args, BaseCommand, envelope, Flags, type View } from '../../src/cli/index.ts'
import { formatBytes, formatCount, KmigError } from '../../src/kit/index.ts'
import { type DumpEvent, type DumpReport, dump, dumpShape, dumpText, endOf } from '../../src/zkcopy/index.ts'

const view: View<DumpEvent, DumpReport> = {
  schema: envelope(dumpShape),
  human: dumpText,
  move: ({ znodes, bytes }) => ({ text: `${formatCount(znodes)} znodes, ${formatBytes(bytes)}` }),
}

export default class ZkDump extends BaseCommand {
  static override summary = 'write every znode below a root to a file'
  static override description =
    'A line of JSON per znode: path, data, ACL, Stat. The last line has count and sha256, so a file that was cut off is ' +
    'noticed. The file appears only when it is complete. Block writers for a dump of one moment.'
  static override examples = [
    '<%= config.bin %> zk dump app.ndjson.gz --from 10.0.0.1:2181/app',
    '<%= config.bin %> zk dump - --from old',
  ]
  static override args = {
    file: Args.string({ description: 'where to; packed if it ends in .gz; - is stdout', required: true }),
  }
  static override flags = {
    from: Flags.string({ summary: 'ensemble: a name, or h1:2181,h2:2181/chroot', default: 'old' }),
    'from-auth': Flags.string({ summary: 'file of credentials: digest:user:password' }),
    overwrite: Flags.boolean({ summary: 'replace the file if it is there' }),
  }

  async run(): Promise<DumpReport> {
    const { flags, args } = await this.parse(ZkDump)
    const from = endOf(this.zookeeper(flags.from), this.zookeeperLogin(flags.from, flags['from-auth']))
    if (args.file === '-' && (flags.json || flags['json-stream'])) {
      throw new KmigError('USAGE', 'the dump and --json both want stdout', { try: ['dump to a file'] })
    }
    const to = args.file === '-' ? process.stdout : args.file
    return await this.show(during => dump({ ...during, from, to, overwrite: flags.overwrite }), view)
  }
}
