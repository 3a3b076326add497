import {
  BaseCommand,
  clusterFlags,
  envelope,
  Flags,
  groupFlags,
  nameFlag,
  offsetFlags,
  paceFlags,
  topicFlags,
  type View,
} from '../src/cli/index.ts'
import { EXIT } from '../src/kit/index.ts'
import {
  CHOICES,
  eventText,
  exitOf,
  Mirror,
  type MirrorEvent,
  type MirrorPlan,
  type MirrorReport,
  planShape,
  planText,
  progressOf,
  reportShape,
  reportText,
  runMirror,
} from '../src/mirror/index.ts'

const view: View<MirrorEvent, MirrorReport> = {
  schema: envelope(reportShape),
  say: eventText,
  move: event => (event.kind === 'progress' ? progressOf(event) : undefined),
  human: reportText,
  exit: exitOf,
}
const planView: View<never, MirrorPlan> = {
  schema: envelope(planShape),
  human: planText,
  exit: ({ topics }) => {
    const refused = topics.filter(({ action }) => action === 'refuse').length
    return refused === 0 ? EXIT.ok : refused < topics.length ? EXIT.partial : EXIT.refused
  },
}

export default class MirrorCommand extends BaseCommand {
  static override summary = 'make the new cluster hold the same records as the old one, at the same offsets'
  static override description =
    'Creates the topics, copies records, settings and group offsets, and follows until SIGINT or SIGTERM. Killed at any moment and started again, it goes on where the target ends: nothing is lost or repeated.'
  static override examples = [
    '<%= config.bin %> mirror --from old --to new --plan',
    '<%= config.bin %> mirror --from old --to new',
    '<%= config.bin %> mirror --from 127.1.0.1:9092 --to 127.1.1.1:9092 --topics "orders*" --until-caught-up',
  ]
  static override flags = {
    ...clusterFlags,
    ...topicFlags,
    ...groupFlags,
    ...nameFlag,
    ...paceFlags,
    ...offsetFlags(CHOICES),
    'until-caught-up': Flags.boolean({ summary: 'end when the copy holds what the source holds' }),
    plan: Flags.boolean({
      summary: 'print what would be done and change nothing',
      exclusive: ['until-caught-up'],
    }),
  }

  async run(): Promise<void> {
    const { flags } = await this.parse(MirrorCommand)
    const options = {
      from: this.cluster(flags.from),
      to: this.cluster(flags.to),
      stateDir: this.stateDirectory,
      name: flags.name,
      topics: flags.topics,
      exclude: flags.exclude,
      groups: flags.groups,
      offsets: flags.offsets,
      fillingLimitMs: flags['filling-limit'],
      sync: flags.sync,
      paddingLimit: flags['padding-limit'],
      acceptGaps: flags['accept-gap'],
      maxRate: flags['max-rate'],
      memory: flags.memory,
      metrics: flags.metrics,
    }
    if (flags.plan) {
      await this.show(async during => {
        await using mirror = await Mirror.open({ ...options, signal: during.signal })
        return await mirror.fullPlan()
      }, planView)
      return
    }
    await this.show(
      during => runMirror({ ...options, ...during, untilCaughtUp: flags['until-caught-up'] }),
      view,
    )
  }
}
