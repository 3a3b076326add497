import { BaseCommand, discoveryFlags, envelope, Flags, type View } from '../../src/cli/index.ts'
import { type LintReport, lintData, lintDirectory, lintShape, lintText } from '../../src/discovery/index.ts'
import { EXIT } from '../../src/kit/index.ts'

export default class DiscoveryLint extends BaseCommand {
  static override summary = 'find what is wrong with discovery files: exit 3 on an error'
  static override description =
    'Errors are what keeps kmig from writing, or makes a reader fail or read something else. With --check a warning is exit 3 too. --fix-tabs writes spaces for tabs where that leaves no doubt; kmig discovery set --revert takes it back.'
  static override examples = [
    '<%= config.bin %> discovery lint --discovery srv-configs/',
    '<%= config.bin %> discovery lint --discovery srv-configs/ --fix-tabs',
  ]
  static override flags = {
    ...discoveryFlags,
    check: Flags.boolean({ summary: 'exit 3 on a warning too' }),
    'fix-tabs': Flags.boolean({ summary: 'write spaces for tabs where the meaning is clear' }),
  }

  async run(): Promise<void> {
    const { flags } = await this.parse(DiscoveryLint)
    const { discovery, check } = flags
    const view: View<never, LintReport> = {
      schema: envelope(lintShape),
      human: lintText,
      data: lintData,
      exit: ({ errors, warnings }) => (errors > 0 || (check && warnings > 0) ? EXIT.difference : EXIT.ok),
    }
    const more = { followSymlinks: flags['follow-symlinks'], fixTabs: flags['fix-tabs'] }
    const stateDir = this.stateDirectory
    await this.show(({ signal }) => lintDirectory({ discovery, stateDir, signal, ...more }), view)
  }
}
