import * as z from 'zod'
import { BaseCommand, envelope } from '../../src/cli/index.ts'
import { down } from '../../src/sandbox/index.ts'

type Report = { ended: boolean; directory: string | null }

export default class SandboxDown extends BaseCommand {
  static override summary = 'end the throw-away clusters that were started in this directory'
  static override description = 'Waits until all of it is gone. Nothing to end is no error.'
  static override examples = ['<%= config.bin %> sandbox down']

  async run(): Promise<Report> {
    await this.parse(SandboxDown)
    const end = async ({ signal }: { signal: AbortSignal }): Promise<Report> => {
      const ended = await down({ root: process.cwd(), signal })
      return { ended: ended !== undefined, directory: ended?.directory ?? null }
    }
    return await this.show<never, Report>(end, {
      schema: envelope({ ended: z.boolean(), directory: z.string().nullable() }),
      human: ({ ended }) => (ended ? 'the sandbox has ended' : 'no sandbox is up in this directory'),
    })
  }
}
