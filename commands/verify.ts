import {
  BaseCommand,
  bytesFlag,
  clusterFlags,
  countFlag,
  envelope,
  Flags,
  groupFlags,
  nameFlag,
  topicFlags,
  type View,
} from '../src/cli/index.ts'
import {
  OFFSETS,
  type VerifyEvent,
  type VerifyReport,
  verify,
  verifyEventText,
  verifyExit,
  verifyProgress,
  verifyShape,
  verifyText,
} from '../src/verify/index.ts'

const view: View<VerifyEvent, VerifyReport> = {
  schema: envelope(verifyShape),
  say: verifyEventText,
  move: verifyProgress,
  human: verifyText,
  exit: verifyExit,
}

export default class Verify extends BaseCommand {
  static override summary = 'read both clusters back and prove that they hold the same: exit 3 if not'
  static override description =
    'Compares topics, settings, every record (offset, key, value, headers, timestamp) and group offsets, and on the target of a mirror who wrote each batch. Changes nothing. May run beside a mirror: it compares what was copied when it began.'
  static override examples = [
    '<%= config.bin %> verify --from old --to new',
    '<%= config.bin %> verify --topics "orders*" --state orders.verify --max-rate 50MB',
    '<%= config.bin %> verify --quick --json',
  ]
  static override flags = {
    ...clusterFlags,
    ...topicFlags,
    ...groupFlags,
    ...nameFlag,
    offsets: Flags.option({
      summary: "auto: as the mirror's state says, else as the first records do; any: only their order counts",
      options: OFFSETS,
      default: 'auto',
    })(),
    quick: Flags.boolean({ summary: 'topics, settings, ends and groups only: read no record' }),
    strict: Flags.boolean({ summary: 'what could not be compared counts as a difference' }),
    digests: Flags.boolean({
      summary:
        'digest what is compared, each side by itself, into the report (docs/verify.md); unpacks every batch',
    }),
    first: countFlag({ summary: 'differences to list; all are counted', default: 20, max: 10_000 }),
    'show-keys': Flags.boolean({ summary: 'show keys of differing records, else only their digests' }),
    'max-rate': bytesFlag({
      summary: 'most to read a second, from both sides together, such as 50MB; default no limit',
    }),
    state: Flags.string({
      summary: 'file that keeps what was compared: a next run goes on there',
      helpValue: '<file>',
    }),
  }

  async run(): Promise<void> {
    const { flags } = await this.parse(Verify)
    const { name, topics, exclude, groups, offsets, quick, strict, digests, first, state } = flags
    const [from, to] = [this.cluster(flags.from), this.cluster(flags.to)]
    const more = { showKeys: flags['show-keys'], maxRate: flags['max-rate'] }
    const options = {
      from,
      to,
      name,
      topics,
      exclude,
      groups,
      offsets,
      quick,
      strict,
      digests,
      first,
      state,
      ...more,
    }
    await this.show(during => verify({ ...options, ...during }), view)
  }
}
