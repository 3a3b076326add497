import { BaseCommand, envelope, Flags, gitFlag, type View } from '../../src/cli/index.ts'
import {
  type CutoverEvent,
  cutoverEventText,
  type RollbackReport,
  rollbackShape,
  rollbackText,
  takeBack,
} from '../../src/cutover/index.ts'

const view: View<CutoverEvent, RollbackReport> = {
  schema: envelope(rollbackShape),
  say: cutoverEventText,
  human: rollbackText,
}

export default class CutoverRollback extends BaseCommand {
  static override summary =
    'go back: restore the discovery files, as long as nobody has written to the new cluster'
  static override description =
    'Refuses (exit 7) once anybody but kmig has written to the new cluster. Restores the files byte for byte; where others edited a file since, only what kmig wrote is taken out. Clusters and files are those of the run.'
  static override examples = [
    '<%= config.bin %> cutover rollback',
    '<%= config.bin %> cutover rollback --run <id> --git',
  ]
  static override flags = {
    run: Flags.string({ summary: 'id of the run; default the newest', helpValue: '<id>' }),
    ...gitFlag,
  }

  async run(): Promise<RollbackReport> {
    const { flags } = await this.parse(CutoverRollback)
    const { run, git } = flags
    const stateDir = this.stateDirectory
    const access = (name: string) => this.cluster(name)
    return await this.show(during => takeBack({ stateDir, run, git, access, ...during }), view)
  }
}
