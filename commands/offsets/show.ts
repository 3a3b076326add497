import {
  BaseCommand,
  clusterFlags,
  envelope,
  groupFlags,
  nameFlag,
  topicFlags,
  type View,
} from '../../src/cli/index.ts'

import {
  type GroupOffsetsReport,
  groupOffsetsOf,
  groupOffsetsShape,
  groupOffsetsText,
} from '../../src/mirror/index.ts'

const view: View<never, GroupOffsetsReport> = {
  schema: envelope(groupOffsetsShape),
  human: groupOffsetsText,
}

export default class OffsetsShow extends BaseCommand {
  static override summary = 'show group offsets on both sides, and why one cannot be moved'
  static override description =
    'Reads both clusters and what the mirror remembers, and changes nothing. May run beside a mirror.'
  static override examples = [
    '<%= config.bin %> offsets show',
    '<%= config.bin %> offsets show --groups "billing*" --json',
  ]
  static override flags = { ...clusterFlags, ...topicFlags, ...groupFlags, ...nameFlag }

  async run(): Promise<void> {
    const { flags } = await this.parse(OffsetsShow)
    const { name, topics, exclude, groups } = flags
    const [from, to] = [this.cluster(flags.from), this.cluster(flags.to)]
    const options = { from, to, name, topics, exclude, groups, move: false }
    await this.show(({ signal }) => groupOffsetsOf({ ...options, signal }), view)
  }
}
