import { BaseCommand, envelope, runFlag, type View } from '../../src/cli/index.ts'
import { setGate, type VerbReport, verbShape, verbText } from '../../src/cutover/index.ts'

const view: View<never, VerbReport> = { schema: envelope(verbShape), human: verbText }

export default class CutoverGo extends BaseCommand {
  static override summary = 'open the gate: a run that waits goes on to its fence'
  static override description =
    "A run that was started with --postpone, or that was paused, waits before the fence. Tells the process that runs it; if that is dead, the run's journal."
  static override examples = ['<%= config.bin %> cutover go']
  static override flags = runFlag

  async run(): Promise<VerbReport> {
    const { flags } = await this.parse(CutoverGo)
    const stateDir = this.stateDirectory
    return await this.show(async () => await setGate('go', { stateDir, run: flags.run }), view)
  }
}
