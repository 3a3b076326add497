import {
  BaseCommand,
  carryFlag,
  durationFlag,
  envelope,
  Flags,
  gitFlag,
  hookFlags,
  runFlag,
  type View,
} from '../../src/cli/index.ts'
import {
  type CutoverEvent,
  cutoverEventText,
  cutoverProgressOf,
  nameOf,
  type RollbackReport,
  rollbackShape,
  rollbackText,
  takeBack,
} from '../../src/cutover/index.ts'
import { EXIT, KmigError } from '../../src/kit/index.ts'

const view: View<CutoverEvent, RollbackReport> = {
  schema: envelope(rollbackShape),
  say: cutoverEventText,
  move: cutoverProgressOf,
  human: rollbackText,
  exit: ({ lost, undone }) => {
    if (lost.length > 0) return EXIT.loss
    return undone.length > 0 ? EXIT.partial : EXIT.ok
  },
}

export default class CutoverRollback extends BaseCommand {
  static override summary = 'go back: clients, group offsets, and what was written to the new cluster since'
  static override description =
    'Before clients were let in to the new cluster, the files are restored at once. After that its writers are kept off (or you stop them), that is proved, what they wrote is copied back, then the files are restored, byte for byte; where others edited a file since, only what kmig wrote is taken out. A way back that would lose records is refused (exit 7). Clusters and files are those of the run.'
  static override examples = [
    '<%= config.bin %> cutover rollback',
    '<%= config.bin %> cutover rollback --run <id> --git',
  ]
  static override flags = {
    ...runFlag,
    ...hookFlags,
    'still-for': durationFlag({ summary: 'how long no log end may move; default as in the plan' }),
    lossy: Flags.boolean({
      summary:
        'go back without records that could not be copied back, or without the new cluster if it is gone; names them, exit 7',
    }),
    'carry-stranded': carryFlag,
    'clients-left': Flags.boolean({
      summary: 'all clients have left the new cluster: --fence acl-deny ends there, after a rollback too',
    }),
    confirm: Flags.string({
      summary: 'name of the new cluster, for --lossy: do not ask',
      helpValue: '<name>',
      dependsOn: ['lossy'],
    }),
    ...gitFlag,
  }

  async run(): Promise<RollbackReport> {
    const { flags } = await this.parse(CutoverRollback)
    const { run, git, hooks, lossy, confirm } = flags
    if (lossy) await this.#agree(nameOf('to', { stateDir: this.stateDirectory, run }), confirm)
    const options = {
      ...{
        run,
        git,
        hooks,
        lossy,
        carry: flags['carry-stranded'],
        clientsLeft: flags['clients-left'],
        stateDir: this.stateDirectory,
        env: this.env,
      },
      hookTimeoutMs: flags['hook-timeout'],
      stillForMs: flags['still-for'],
      watchdog: this.own('cutover', 'watchdog'),
      access: (name: string) => this.cluster(name),
    }
    return await this.show(during => takeBack({ ...options, ...during }), view)
  }

  async #agree(name: string, given: string | undefined): Promise<void> {
    const ask = `Lose what is on '${name}' only?`
    const agreed =
      given === undefined
        ? await this.confirm({ ask, expect: name, flag: `--confirm ${name}` })
        : given === name
    if (!agreed)
      throw new KmigError('NEEDS_CONSENT', `the new cluster is '${name}': it was not agreed to`, {
        try: [`--confirm ${name}`],
      })
  }
}
