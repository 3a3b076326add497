import { resolve } from 'node:path'
import * as z from 'zod'
import { BaseCommand, envelope, Flags } from '../../src/cli/index.ts'
import { CONFIG_FILE } from '../../src/config/index.ts'
import {
  eventText,
  sandboxEnvironment,
  statusSchema,
  type UpEvent,
  type UpReport,
  up,
} from '../../src/sandbox/index.ts'

export default class SandboxUp extends BaseCommand {
  static override summary = 'start an old and a new throw-away cluster'
  static override description =
    `Kafka 3.9.2 with ZooKeeper, and 4.3.1 with KRaft and a ZooKeeper beside it, on loopback addresses of
their own. A kmig.yaml names them old and new. They stay until ^C, or \`kmig sandbox down\` in the same
directory, and leave nothing. Needs Java 17, and Maven for the first time.`
  static override examples = [
    '<%= config.bin %> sandbox up',
    '<%= config.bin %> sandbox up --brokers 3 --links',
  ]
  static override flags = {
    brokers: Flags.option({
      summary: 'brokers of each cluster',
      options: ['1', '3'] as const,
      default: '1',
    })(),
    links: Flags.boolean({ summary: 'put a proxy before each server' }),
    profile: Flags.option({
      summary: 'fast: starts soon, stays small; bench: full speed',
      options: ['fast', 'bench'] as const,
      default: 'fast',
    })(),
  }

  protected override readonly makesConfig = true

  async run(): Promise<UpReport> {
    const { flags } = await this.parse(SandboxUp)
    const options = {
      root: process.cwd(),
      config: resolve(flags.config ?? CONFIG_FILE),
      brokers: flags.brokers === '3' ? (3 as const) : (1 as const),
      links: flags.links,
      profile: flags.profile,
      ...sandboxEnvironment(this.env),
    }
    return await this.show<UpEvent, UpReport>(during => up({ ...options, ...during }), {
      schema: envelope({ endedBy: z.enum(['down', 'signal']), status: statusSchema }),
      say: eventText,
      human: ({ endedBy }) => `the sandbox has ended (${endedBy}); nothing of it is left`,
    })
  }
}
