import { BaseCommand, envelope, Flags, preserveFlags, type View } from '../../src/cli/index.ts'
import { EXIT, formatCount } from '../../src/kit/index.ts'
import {
  endOf,
  keepOf,
  VERIFY_ACL_MODES,
  type VerifyEvent,
  type VerifyReport,
  verify,
  verifyShape,
  verifyText,
} from '../../src/zkcopy/index.ts'

const view: View<VerifyEvent, VerifyReport> = {
  schema: envelope(verifyShape),
  human: verifyText,
  exit: ({ equal }) => (equal ? EXIT.ok : EXIT.difference),
  move: ({ from, to }) => ({ text: `${formatCount(from)} read here, ${formatCount(to)} there` }),
}

export default class ZkVerify extends BaseCommand {
  static override summary = 'prove that two trees are equal: exit 3 if not'
  static override description =
    'Reads both sides in full, each by itself, and compares path, data and ACL of every znode that is no ephemeral. ' +
    'Writes nothing. A proof holds for the moment of the reading: block writers first.'
  static override examples = [
    '<%= config.bin %> zk verify --from 10.0.0.1:2181/app --to 10.0.1.1:2181/app',
    '<%= config.bin %> zk verify --acl ignore --json',
  ]
  static override flags = {
    from: Flags.string({ summary: 'source: a name, or h1:2181,h2:2181/chroot', default: 'old' }),
    to: Flags.string({ summary: 'target: a name, or h1:2181,h2:2181/chroot', default: 'new' }),
    'from-auth': Flags.string({ summary: 'file of credentials of the source: digest:user:password' }),
    'to-auth': Flags.string({ summary: 'file of credentials of the target' }),
    ...preserveFlags,
    acl: Flags.option({
      summary: 'full: each as on the source; uniform, open: as a copy by that mode has them; ignore: unread',
      options: VERIFY_ACL_MODES,
      default: 'full',
    })(),
  }

  async run(): Promise<VerifyReport> {
    const { flags } = await this.parse(ZkVerify)
    const from = endOf(this.zookeeper(flags.from), this.zookeeperLogin(flags.from, flags['from-auth']))
    const to = endOf(this.zookeeper(flags.to), this.zookeeperLogin(flags.to, flags['to-auth']))
    const keep = keepOf(flags, from.chroot)
    return await this.show(during => verify({ ...during, from, to, acl: flags.acl, keep }), view)
  }
}
