import * as z from 'zod'
import { BaseCommand, envelope } from '../../src/cli/index.ts'
import { type Status, statusAt, statusSchema, statusText } from '../../src/sandbox/index.ts'

type Report = { up: boolean; status: Status | null }

export default class SandboxStatus extends BaseCommand {
  static override summary = 'show the throw-away clusters that were started in this directory'
  static override examples = ['<%= config.bin %> sandbox status --json']

  async run(): Promise<Report> {
    await this.parse(SandboxStatus)
    const look = async ({ signal }: { signal: AbortSignal }): Promise<Report> => {
      const status = await statusAt({ root: process.cwd(), signal })
      return { up: status?.state === 'up', status: status ?? null }
    }
    return await this.show<never, Report>(look, {
      schema: envelope({ up: z.boolean(), status: statusSchema.nullable() }),
      human: ({ status }) => (status ? statusText(status) : 'no sandbox is up in this directory'),
    })
  }
}
