import { BaseCommand, envelope, Flags, hookFlags, runFlag, type View } from '../../src/cli/index.ts'
import {
  type CutoverEvent,
  completeRun,
  cutoverEventText,
  nameOf,
  type VerbReport,
  verbShape,
  verbText,
} from '../../src/cutover/index.ts'
import { KmigError } from '../../src/kit/index.ts'

const view: View<CutoverEvent, VerbReport> = {
  schema: envelope(verbShape),
  say: cutoverEventText,
  human: verbText,
}

export default class CutoverComplete extends BaseCommand {
  static override summary = 'end the cutover for good: the one step that can not be taken back'
  static override description =
    'Ends the copy back, and gives the topics their own settings on the new cluster: retention deletes and compaction compacts again. Asks for the name of the old cluster. Nothing on the old cluster is deleted.'
  static override examples = ['<%= config.bin %> cutover complete --confirm old']
  static override flags = {
    ...runFlag,
    ...hookFlags,
    confirm: Flags.string({ summary: 'name of the old cluster: do not ask', helpValue: '<name>' }),
  }

  async run(): Promise<VerbReport> {
    const { flags } = await this.parse(CutoverComplete)
    const { run, hooks } = flags
    const stateDir = this.stateDirectory
    const old = nameOf('from', { stateDir, run })
    const agreed =
      flags.confirm === undefined
        ? await this.confirm({
            ask: `No way back to '${old}' any more?`,
            expect: old,
            flag: `--confirm ${old}`,
          })
        : flags.confirm === old
    if (!agreed) {
      throw new KmigError('NEEDS_CONSENT', `the old cluster is '${old}': it was not agreed to`, {
        try: [`--confirm ${old}`],
      })
    }
    const options = { stateDir, run, hooks, hookTimeoutMs: flags['hook-timeout'], env: this.env }
    const access = (name: string) => this.cluster(name)
    return await this.show(during => completeRun({ ...options, access, ...during }), view)
  }
}
