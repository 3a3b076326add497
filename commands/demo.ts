import { tmpdir } from 'node:os'
import { BaseCommand, envelope, Flags, type View } from '../src/cli/index.ts'
import { EXIT, formatCount } from '../src/kit/index.ts'
import {
  type DemoEvent,
  type DemoReport,
  demo,
  demoShape,
  demoText,
  sandboxOptions,
} from '../src/story/index.ts'

const view: View<DemoEvent, DemoReport> = {
  schema: envelope(demoShape),
  say: event => (event.kind === 'step' ? event.text : undefined),
  move: event =>
    event.kind === 'progress'
      ? { text: `${event.text}: ${formatCount(event.sent)} written, ${formatCount(event.read)} read` }
      : undefined,
  human: demoText,
  exit: ({ ok }) => (ok ? EXIT.ok : EXIT.difference),
}

export default class Demo extends BaseCommand {
  static override summary = 'the whole story on real throw-away clusters, ending in a verdict'
  static override description =
    'Starts an old cluster (Kafka 3.9.2 with ZooKeeper), a new one (4.3.1) and a second ZooKeeper on loopback addresses; ' +
    "live writers and readers that follow discovery files; copies an application's znodes, clones the topics, cuts over, " +
    'goes back before a writer moved, cuts over again, and reads both clusters back. Ends everything that it started.'
  static override flags = {
    keep: Flags.boolean({ summary: 'keep logs, journals and discovery files, and print where they are' }),
  }

  async run(): Promise<DemoReport> {
    const { flags } = await this.parse(Demo)
    const sandbox = sandboxOptions(this.env, tmpdir())
    return await this.show(during => demo({ ...during, sandbox, keep: flags.keep }), view)
  }
}
