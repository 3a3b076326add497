import { BaseCommand, countFlag, durationFlag, envelope, Flags, type View } from '../../src/cli/index.ts'
import {
  endOf,
  type LatencyEvent,
  type LatencyReport,
  latency,
  latencyShape,
  latencyText,
} from '../../src/zkcopy/index.ts'

const view: View<LatencyEvent, LatencyReport> = {
  schema: envelope(latencyShape),
  human: latencyText,
  say: event =>
    event.kind === 'left' ? `${event.path} is left, remove it by hand: ${event.why}` : undefined,
  move: event => {
    if (event.kind !== 'progress') return undefined
    return { text: `${event.server}: ${event.operation}`, part: event.part }
  },
}

export default class ZkLatency extends BaseCommand {
  static override summary = 'measure how long each server takes: p50 and p99 per operation'
  static override description =
    'Each server named in --to in turn, by an ordinary client (by kmig itself for TLS or SASL): create, set, get, delete, and the notification of a write ' +
    'at another server. It is load: 5 times --ops operations per server. What it makes is gone at the end.'
  static override examples = [
    '<%= config.bin %> zk latency --to 10.0.1.1:2181,10.0.1.2:2181,10.0.1.3:2181',
    '<%= config.bin %> zk latency --to new --ops 1000 --window 1 --json',
  ]
  static override flags = {
    to: Flags.string({ summary: 'ensemble: a name, or h1:2181,h2:2181/chroot', default: 'new' }),
    'to-auth': Flags.string({ summary: 'file of credentials: digest:user:password' }),
    ops: countFlag({ summary: 'operations of each kind at each server', default: 10_000, max: 1_000_000 }),
    bytes: countFlag({ summary: 'data of a znode', default: 25, min: 0, max: 1_000_000 }),
    within: durationFlag({ summary: 'longest that one operation may take', default: 10_000 }),
    window: countFlag({ summary: 'operations without an answer at a time', default: 16, max: 64 }),
  }

  async run(): Promise<LatencyReport> {
    const { flags } = await this.parse(ZkLatency)
    const to = endOf(this.zookeeper(flags.to), this.zookeeperLogin(flags.to, flags['to-auth']))
    const { ops, bytes, window, within: withinMs } = flags
    return await this.show(during => latency({ ...during, to, ops, bytes, window, withinMs }), view)
  }
}
