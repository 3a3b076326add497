import {
  BaseCommand,
  carryFlag,
  checkFlags,
  cutoverFlags,
  envelope,
  Flags,
  runFlag,
  type View,
} from '../../src/cli/index.ts'
import {
  ACCEPTABLE,
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
  fenceOptions,
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
  static override summary = 'move the clients: fence, drain, set group offsets, rewrite their discovery files'
  static override description =
    'Makes a plan, prints it with the diff, and changes nothing else. With --execute acts on that plan: keeps writers off (or sees that you have), proves that nobody writes to the old cluster, copies the rest, sets group offsets and rewrites the files. If anything fails, everything is put back (exit 9). Killed and started again, it goes on.'
  static override examples = [
    '<%= config.bin %> cutover --discovery srv-configs/',
    '<%= config.bin %> cutover --discovery srv-configs/ --execute --yes --hooks hooks/ --soak',
  ]
  static override flags = {
    ...cutoverFlags,
    ...checkFlags(ACCEPTABLE),
    execute: Flags.boolean({ summary: 'act on the plan' }),
    run: { ...runFlag.run, summary: 'id of the plan to act on; default the newest', dependsOn: ['execute'] },
    yes: Flags.boolean({ summary: 'do not ask', dependsOn: ['execute'] }),
    'carry-stranded': { ...carryFlag, dependsOn: ['execute'] },
    soak: Flags.boolean({ summary: 'stay after the switch: copy back, and watch', dependsOn: ['execute'] }),
  }

  async run(): Promise<void> {
    const { flags } = await this.parse(CutoverCommand)
    const { topics, exclude, groups, name, discovery, execute, soak, yes } = flags
    const options = {
      ...{ topics, exclude, groups, name, discovery },
      ...fenceOptions(flags),
      from: this.cluster(flags.from),
      to: this.cluster(flags.to),
      stateDir: this.stateDirectory,
      accept: flags.accept,
      readersWithinMs: flags['readers-within'],
      acceptMentions: flags['accept-mention'],
      git: flags.git,
      followSymlinks: flags['follow-symlinks'],
      ...{ env: this.env, watchdog: this.own('cutover', 'watchdog'), toolVersion: this.config.version },
    }
    if (!execute) {
      await this.show(async during => {
        await using cutover = await Cutover.open({ ...options, ...during })
        return await cutover.plan()
      }, planView)
      return
    }
    await this.show(async during => {
      await using cutover = await Cutover.open({ ...options, ...during })
      const run = yes ? flags.run : (flags.run ?? (await this.#agree(await cutover.plan())))
      return await cutover.execute({ run, soak, carry: flags['carry-stranded'] })
    }, view)
  }

  async #agree(plan: CutoverPlan): Promise<string | undefined> {
    process.stderr.write(`${plan.discovery.diff}${cutoverPlanText(plan)}\n`)
    const ask = `Shall the clients move to '${plan.to.name}' (and have you stopped the writers, if no hook does)?`
    if (await this.confirm({ ask, expect: plan.to.name, flag: '--yes' })) return plan.document?.run
    throw new KmigError('NEEDS_CONSENT', 'it was not agreed to; nothing was changed')
  }
}
