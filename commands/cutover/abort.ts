import { BaseCommand, envelope, Flags, hookFlags, runFlag, type View } from '../../src/cli/index.ts'
import {
  abortRun,
  type CutoverEvent,
  cutoverEventText,
  cutoverProgressOf,
  type VerbReport,
  verbShape,
  verbText,
} from '../../src/cutover/index.ts'
import { EXIT } from '../../src/kit/index.ts'

const view: View<CutoverEvent, VerbReport> = {
  schema: envelope(verbShape),
  say: cutoverEventText,
  move: cutoverProgressOf,
  human: verbText,
  exit: () => EXIT.aborted,
}

export default class CutoverAbort extends BaseCommand {
  static override summary = 'end a run before its switch: the fence is released, everything is as it was'
  static override description =
    'Tells the process that runs it; if that is dead, does it itself, and needs no cluster for that. Exit 9 when it worked. Once files are being written it is refused (exit 4): kmig cutover rollback goes back. Readers that moved first (--readers-first) stay on the new cluster unless --readers-back, which an ended run takes too.'
  static override examples = ['<%= config.bin %> cutover abort']
  static override flags = {
    ...runFlag,
    ...hookFlags,
    'readers-back': Flags.boolean({ summary: 'readers that have moved go back, with what they have read' }),
  }

  async run(): Promise<VerbReport> {
    const { flags } = await this.parse(CutoverAbort)
    const { run, hooks } = flags
    const options = {
      ...{ stateDir: this.stateDirectory, run, hooks, hookTimeoutMs: flags['hook-timeout'] },
      readersBack: flags['readers-back'],
    }
    const access = (name: string) => this.cluster(name)
    return await this.show(during => abortRun({ ...options, access, env: this.env, ...during }), view)
  }
}
