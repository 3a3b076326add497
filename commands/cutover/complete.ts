import {
  BaseCommand,
  carryFlag,
  envelope,
  Flags,
  hookFlags,
  runFlag,
  type View,
} from '../../src/cli/index.ts'
import {
  type CutoverEvent,
  completeRun,
  cutoverEventText,
  nameOf,
  type VerbReport,
  verbShape,
  verbText,
} from '../../src/cutover/index.ts'
import { EXIT, KmigError } from '../../src/kit/index.ts'

const view: View<CutoverEvent, VerbReport> = {
  schema: envelope(verbShape),
  say: cutoverEventText,
  human: verbText,
  exit: ({ stranded, undone }) => {
    if (stranded.length > 0) return EXIT.loss
    return undone.length > 0 ? EXIT.partial : EXIT.ok
  },
}

export default class CutoverComplete extends BaseCommand {
  static override summary = 'end the cutover for good: the one step that can not be taken back'
  static override description =
    'Ends the copy back, and gives the topics their own settings on the new cluster: retention deletes and compaction compacts again. Asks for the name of the old cluster. Looks once more whether anybody wrote there after the cut; if it was switched off already, says what it could not look at (exit 6). Nothing on the old cluster is deleted.'
  static override examples = ['<%= config.bin %> cutover complete --confirm old']
  static override flags = {
    ...runFlag,
    ...hookFlags,
    'carry-stranded': carryFlag,
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
    const carry = flags['carry-stranded']
    const options = { stateDir, run, hooks, carry, hookTimeoutMs: flags['hook-timeout'], env: this.env }
    const access = (name: string) => this.cluster(name)
    return await this.show(during => completeRun({ ...options, access, ...during }), view)
  }
}
