import { BaseCommand, envelope, Flags, type View } from '../../src/cli/index.ts'
import { cutoverStatus, type StatusReport, statusShape, statusText } from '../../src/cutover/index.ts'
import { EXIT } from '../../src/kit/index.ts'

const view: View<never, StatusReport> = {
  schema: envelope(statusShape),
  human: statusText,
  exit: ({ stranded }) => (stranded.length > 0 ? EXIT.loss : EXIT.ok),
}

export default class CutoverStatus extends BaseCommand {
  static override summary = 'where a cutover stands, and what can be done'
  static override description =
    'Reads the journal of the run, and asks the process that runs it: asks no server and takes no lock. Exit 7 while records are stranded on the old cluster.'
  static override examples = ['<%= config.bin %> cutover status', '<%= config.bin %> cutover status --json']
  static override flags = {
    run: Flags.string({ summary: 'id of the run; default the newest', helpValue: '<id>' }),
  }

  async run(): Promise<StatusReport> {
    const { flags } = await this.parse(CutoverStatus)
    const stateDir = this.stateDirectory
    return await this.show(async () => cutoverStatus({ stateDir, run: flags.run }), view)
  }
}
