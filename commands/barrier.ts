import { BaseCommand, durationFlag, envelope, Flags, nameFlag, type View } from '../src/cli/index.ts'
import {
  type BarrierEvent,
  type BarrierReport,
  barrier,
  barrierProgress,
  barrierShape,
  barrierText,
  cutoverStatus,
} from '../src/cutover/index.ts'
import { EXIT, KmigError } from '../src/kit/index.ts'

const view: View<BarrierEvent, BarrierReport> = {
  schema: envelope(barrierShape),
  move: barrierProgress,
  human: barrierText,
  exit: ({ reached }) => (reached ? EXIT.ok : EXIT.refused),
}

const numbersIn = (text: string): number[] => {
  const parts = text.split(',')
  if (parts.every(part => /^\d+$/.test(part))) return [...new Set(parts.map(Number))]
  throw new KmigError('USAGE', `'${text}' are no partitions: --partitions 0,3`)
}

export default class Barrier extends BaseCommand {
  static override summary = 'hold a restarting writer until its old records are across: exit 4 if not in time'
  static override description =
    'Run it after the old instance of a writer is dead and before its new one starts, which writes to the new cluster (init container, ExecStartPre): the order of its records is kept. Takes the log ends of the old cluster and waits until the mirror that runs has reached them. Refused for transactional writers, Streams, and compacted topics with several writers. Changes nothing.'
  static override examples = [
    '<%= config.bin %> barrier --from old --to new --topics orders,payments --timeout 30s',
    '<%= config.bin %> barrier --topics orders --partitions 0,3',
    '<%= config.bin %> barrier --run <id> --topics "orders*"',
  ]
  static override flags = {
    from: Flags.string({
      summary: 'old cluster: a name or host:port,...; default that of --run, or old',
      helpValue: '<cluster>',
    }),
    to: Flags.string({
      summary: 'new cluster: a name or host:port,...; default that of --run, or new',
      helpValue: '<cluster>',
    }),
    run: Flags.string({
      summary: 'id of a cutover run: its clusters and its mirror',
      helpValue: '<id>',
      exclusive: ['name'],
    }),
    ...nameFlag,
    topics: Flags.string({
      summary: 'topics that the writer writes to (globs, with commas or repeatable)',
      helpValue: '<glob,...>',
      multiple: true,
      required: true,
    }),
    partitions: Flags.string({
      summary:
        'their partitions that it alone writes to: holds until these are across, and sees that nobody else writes there; default all',
      helpValue: '<n,...>',
    }),
    timeout: durationFlag({ summary: 'how long to wait', default: 30_000 }),
  }

  async run(): Promise<void> {
    const { flags } = await this.parse(Barrier)
    const run =
      flags.run === undefined
        ? undefined
        : await cutoverStatus({ stateDir: this.stateDirectory, run: flags.run })
    const options = {
      from: this.cluster(flags.from ?? run?.from.name ?? 'old'),
      to: this.cluster(flags.to ?? run?.to.name ?? 'new'),
      name: flags.name ?? run?.mirror,
      topics: flags.topics.flatMap(each => each.split(',')),
      partitions: flags.partitions === undefined ? undefined : numbersIn(flags.partitions),
      timeoutMs: flags.timeout,
    }
    await this.show(during => barrier({ ...options, ...during }), view)
  }
}
