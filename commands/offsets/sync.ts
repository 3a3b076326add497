import {
  BaseCommand,
  clusterFlags,
  envelope,
  groupFlags,
  nameFlag,
  topicFlags,
  type View,
} from '../../src/cli/index.ts'
import { EXIT } from '../../src/kit/index.ts'
import {
  type GroupOffsetsReport,
  groupOffsetsOf,
  groupOffsetsShape,
  groupOffsetsText,
} from '../../src/mirror/index.ts'

const view: View<never, GroupOffsetsReport> = {
  schema: envelope(groupOffsetsShape),
  human: groupOffsetsText,
  exit: ({ rows, refused }) =>
    refused.length > 0 || rows.some(({ outcome }) => outcome.kind === 'refused') ? EXIT.partial : EXIT.ok,
}

export default class OffsetsSync extends BaseCommand {
  static override summary = 'move group offsets to the new cluster now, as far as records are copied'
  static override description =
    'What a mirror does every 5 seconds, once: into groups that are empty or absent on the target, never backwards, never beyond the copy. May run beside a mirror.'
  static override examples = [
    '<%= config.bin %> offsets sync',
    '<%= config.bin %> offsets sync --groups "billing*"',
  ]
  static override flags = { ...clusterFlags, ...topicFlags, ...groupFlags, ...nameFlag }

  async run(): Promise<void> {
    const { flags } = await this.parse(OffsetsSync)
    const { name, topics, exclude, groups } = flags
    const [from, to] = [this.cluster(flags.from), this.cluster(flags.to)]
    const options = { from, to, name, topics, exclude, groups, move: true }
    await this.show(({ signal }) => groupOffsetsOf({ ...options, signal }), view)
  }
}
