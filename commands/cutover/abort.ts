import { BaseCommand, envelope, hookFlags, runFlag, type View } from '../../src/cli/index.ts'
import { abortRun, type VerbReport, verbShape, verbText } from '../../src/cutover/index.ts'
import { EXIT } from '../../src/kit/index.ts'

const view: View<never, VerbReport> = {
  schema: envelope(verbShape),
  human: verbText,
  exit: () => EXIT.aborted,
}

export default class CutoverAbort extends BaseCommand {
  static override summary = 'end a run before its switch: the fence is released, everything is as it was'
  static override description =
    'Tells the process that runs it; if that is dead, does it itself, and needs no cluster for that. Exit 9 when it worked. Once files are being written it is refused (exit 4): kmig cutover rollback goes back.'
  static override examples = ['<%= config.bin %> cutover abort']
  static override flags = { ...runFlag, ...hookFlags }

  async run(): Promise<VerbReport> {
    const { flags } = await this.parse(CutoverAbort)
    const { run, hooks } = flags
    const options = { stateDir: this.stateDirectory, run, hooks, hookTimeoutMs: flags['hook-timeout'] }
    const access = (name: string) => this.cluster(name)
    return await this.show(during => abortRun({ ...options, access, env: this.env, ...during }), view)
  }
}
