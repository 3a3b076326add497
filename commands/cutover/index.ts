import {
  BaseCommand,
  clusterFlags,
  discoveryFlags,
  durationFlag,
  envelope,
  Flags,
  gitFlag,
  groupFlags,
  mentionFlag,
  nameFlag,
  topicFlags,
  type View,
} from '../../src/cli/index.ts'
import {
  Cutover,
  type CutoverEvent,
  type CutoverPlan,
  type CutoverReport,
  cutoverEventText,
  cutoverPlanShape,
  cutoverPlanText,
  cutoverProgressOf,
  cutoverReportShape,
  cutoverReportText,
} from '../../src/cutover/index.ts'
import { EXIT, KmigError } from '../../src/kit/index.ts'

const planView: View<CutoverEvent, CutoverPlan> = {
  schema: envelope(cutoverPlanShape),
  human: cutoverPlanText,
  data: plan => plan.discovery.diff.trimEnd(),
  exit: ({ blockers }) => (blockers.length > 0 ? EXIT.refused : EXIT.ok),
}
const view: View<CutoverEvent, CutoverReport> = {
  schema: envelope(cutoverReportShape),
  say: cutoverEventText,
  move: cutoverProgressOf,
  human: cutoverReportText,
  exit: ({ stranded }) => (stranded.length > 0 ? EXIT.loss : EXIT.ok),
}

export default class CutoverCommand extends BaseCommand {
  static override summary = 'move the clients: drain, set group offsets, rewrite their discovery files'
  static override description =
    'Prints the plan and the diff, and changes nothing. With --execute, once you have stopped the writers: proves that nobody writes to the old cluster, copies the rest, sets group offsets and topic settings, and rewrites the files. If anything fails, everything is put back (exit 9). Killed and started again, it goes on.'
  static override examples = [
    '<%= config.bin %> cutover --discovery srv-configs/',
    '<%= config.bin %> cutover --discovery srv-configs/ --execute --yes --still-for 30s',
  ]
  static override flags = {
    ...clusterFlags,
    ...topicFlags,
    ...groupFlags,
    ...nameFlag,
    ...discoveryFlags,
    execute: Flags.boolean({ summary: 'do it' }),
    yes: Flags.boolean({ summary: 'do not ask', dependsOn: ['execute'] }),
    'still-for': durationFlag({ summary: 'how long no log end may move; at least 1s', default: 10_000 }),
    'readers-within': durationFlag({ summary: 'how long live readers get to read all', default: 30_000 }),
    ...mentionFlag,
    ...gitFlag,
  }

  async run(): Promise<void> {
    const { flags } = await this.parse(CutoverCommand)
    const { topics, exclude, groups, name, discovery } = flags
    const options = {
      ...{ topics, exclude, groups, name, discovery },
      from: this.cluster(flags.from),
      to: this.cluster(flags.to),
      stateDir: this.stateDirectory,
      stillForMs: flags['still-for'],
      readersWithinMs: flags['readers-within'],
      acceptMentions: flags['accept-mention'],
      git: flags.git,
      followSymlinks: flags['follow-symlinks'],
    }
    if (!flags.execute) {
      await this.show(async during => {
        await using cutover = await Cutover.open({ ...options, ...during })
        return await cutover.plan()
      }, planView)
      return
    }
    await this.show(async during => {
      await using cutover = await Cutover.open({ ...options, ...during })
      return await cutover.execute({
        agreed: flags.yes ? undefined : await this.#agree(await cutover.plan()),
      })
    }, view)
  }

  async #agree(plan: CutoverPlan): Promise<CutoverPlan> {
    process.stderr.write(`${plan.discovery.diff}${cutoverPlanText(plan)}\n`)
    const ask = `Are the writers stopped, and shall clients move to '${plan.to.name}'?`
    if (await this.confirm({ ask, expect: plan.to.name, flag: '--yes' })) return plan
    throw new KmigError('NEEDS_CONSENT', 'it was not agreed to; nothing was changed')
  }
}
