import { BaseCommand, envelope, runFlag, type View } from '../../src/cli/index.ts'
import { setGate, type VerbReport, verbShape, verbText } from '../../src/cutover/index.ts'

const view: View<never, VerbReport> = { schema: envelope(verbShape), human: verbText }

export default class CutoverPause extends BaseCommand {
  static override summary = 'close the gate: the run waits before its fence'
  static override description =
    'Until kmig cutover go. Refused from the fence to the switch (exit 4): nobody may wait there.'
  static override examples = ['<%= config.bin %> cutover pause']
  static override flags = runFlag

  async run(): Promise<VerbReport> {
    const { flags } = await this.parse(CutoverPause)
    const stateDir = this.stateDirectory
    return await this.show(async () => await setGate('pause', { stateDir, run: flags.run }), view)
  }
}
