import { readFileSync } from 'node:fs'
import { Args, BaseCommand } from '../../src/cli/index.ts'
import { type CrashPlan, crashWorker } from '../../src/story/index.ts'

export default class RehearseWorker extends BaseCommand {
  static override hidden = true
  static override summary = 'a cutover that kills itself; kmig rehearse starts it, of no use by itself'
  static override args = { plan: Args.string({ description: 'what it is of', required: true }) }

  async run(): Promise<void> {
    const { args } = await this.parse(RehearseWorker)
    const plan = JSON.parse(readFileSync(args.plan, 'utf8')) as CrashPlan
    await crashWorker(plan, { ...this.during, env: this.env, watchdog: this.own('cutover', 'watchdog') })
  }
}
