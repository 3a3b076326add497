import { BaseCommand, durationFlag, envelope, Flags, type View } from '../../src/cli/index.ts'
import {
  endOf,
  type SmokeEvent,
  type SmokeReport,
  smoke,
  smokeExit,
  smokeShape,
  smokeText,
} from '../../src/zkcopy/index.ts'

const view: View<SmokeEvent, SmokeReport> = {
  schema: envelope(smokeShape),
  human: smokeText,
  exit: smokeExit,
  move: ({ step }) => ({ text: step }),
}

export default class ZkSmoke extends BaseCommand {
  static override summary = 'ask every server for what ordinary clients need of it'
  static override description =
    'One connection per server named in --to, by an ordinary client (by kmig itself where TLS or SASL is asked for). Each creates an ephemeral below the root, every ' +
    'server must list all of them, and when they are deleted every watch must fire. Nothing stays behind.'
  static override examples = [
    '<%= config.bin %> zk smoke --to 10.0.1.1:2181,10.0.1.2:2181,10.0.1.3:2181',
    '<%= config.bin %> zk smoke --to new --within 3s',
  ]
  static override flags = {
    to: Flags.string({ summary: 'ensemble: a name, or h1:2181,h2:2181/chroot', default: 'new' }),
    'to-auth': Flags.string({ summary: 'file of credentials: digest:user:password' }),
    within: durationFlag({ summary: 'longest that a server may take for one step', default: 10_000 }),
  }

  async run(): Promise<SmokeReport> {
    const { flags } = await this.parse(ZkSmoke)
    const to = endOf(this.zookeeper(flags.to), this.zookeeperLogin(flags.to, flags['to-auth']))
    return await this.show(during => smoke({ ...during, to, withinMs: flags.within }), view)
  }
}
