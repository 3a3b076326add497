import { Args, BaseCommand, countFlag, envelope, Flags, type View } from '../../src/cli/index.ts'
import { EXIT, formatCount } from '../../src/kit/index.ts'
import {
  endOf,
  JUTE_MAXBUFFER,
  type RestoreEvent,
  type RestoreReport,
  restore,
  restoreShape,
  restoreText,
} from '../../src/zkcopy/index.ts'

const view: View<RestoreEvent, RestoreReport> = {
  schema: envelope(restoreShape),
  human: restoreText,
  exit: ({ differing }) => (differing.count > 0 ? EXIT.difference : EXIT.ok),
  move: ({ pass, done, all }) => ({
    text: `${pass}: ${formatCount(done)} of ${formatCount(all)}`,
    part: all === 0 ? undefined : done / all,
  }),
}

export default class ZkRestore extends BaseCommand {
  static override summary = 'bring the znodes of a dump, or what a copy replaced, back below a root'
  static override description =
    'Creates what lacks and sets what differs; deletes nothing, leaves ephemerals alone, and reads all of it back: exit 3 ' +
    'if it is not as in the dump then. A damaged or cut-off file is refused before anything is written.'
  static override examples = [
    '<%= config.bin %> zk restore app.ndjson.gz --to 10.0.1.1:2181/app --check',
    '<%= config.bin %> zk restore app.ndjson.gz --to 10.0.1.1:2181/app',
    '<%= config.bin %> zk restore before-copy.ndjson --to 10.0.1.1:2181/app --delete',
  ]
  static override args = {
    file: Args.string({ description: 'a file of zk dump, or of zkcopy --backup', required: true }),
  }
  static override flags = {
    to: Flags.string({
      summary: 'where the root of the dump goes: a name, or h1:2181/chroot',
      default: 'new',
    }),
    'to-auth': Flags.string({ summary: 'file of credentials: digest:user:password' }),
    check: Flags.boolean({ summary: 'only compare; exit 3 if a restore would write' }),
    delete: Flags.boolean({ summary: 'of a backup: remove what the copy had made' }),
    batch: countFlag({ summary: 'operations per multi, 1-1000', default: 500, max: 1_000 }),
    'jute-maxbuffer': countFlag({
      summary: 'largest request that the target takes, in bytes',
      default: JUTE_MAXBUFFER,
      min: 1_024,
    }),
  }

  async run(): Promise<RestoreReport> {
    const { flags, args } = await this.parse(ZkRestore)
    const to = endOf(this.zookeeper(flags.to), this.zookeeperLogin(flags.to, flags['to-auth']))
    const { file } = args
    const { check, batch, delete: deleteCreated, 'jute-maxbuffer': juteMaxBuffer } = flags
    const options = { file, to, check, batch, deleteCreated, juteMaxBuffer }
    return await this.show(during => restore({ ...during, ...options }), view)
  }
}
