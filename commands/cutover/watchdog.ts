import { BaseCommand, Flags, hookFlags, runFlag } from '../../src/cli/index.ts'
import { watchdog } from '../../src/cutover/index.ts'

export default class CutoverWatchdog extends BaseCommand {
  static override hidden = true
  static override summary = 'release the fence of a run whose process dies; kmig cutover starts it'
  static override description = 'Ends by itself once the fence is released, or the switch is decided.'
  static override examples = ['<%= config.bin %> cutover watchdog --run <id> --fence <ms>']
  static override flags = {
    ...hookFlags,
    run: { ...runFlag.run, required: true },
    fence: Flags.integer({
      summary: 'when it was engaged, ms since 1970',
      required: true,
      helpValue: '<ms>',
    }),
  }

  async run(): Promise<void> {
    const { flags } = await this.parse(CutoverWatchdog)
    await watchdog({
      stateDir: this.stateDirectory,
      run: flags.run ?? '',
      sinceMs: flags.fence,
      hooks: flags.hooks,
      hookTimeoutMs: flags['hook-timeout'],
      access: name => this.cluster(name),
      env: this.env,
      signal: this.signal,
    })
  }
}
