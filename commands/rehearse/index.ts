import { tmpdir } from 'node:os'
import {
  BaseCommand,
  clusterFlags,
  countFlag,
  discoveryFlags,
  durationFlag,
  envelope,
  Flags,
  groupFlags,
  mentionFlag,
  topicFlags,
  type View,
} from '../../src/cli/index.ts'
import { EXIT, formatCount, KmigError } from '../../src/kit/index.ts'
import {
  type PlayEvent,
  type RehearseOptions,
  type RehearseReport,
  rehearse,
  rehearseShape,
  rehearseText,
  sandboxOptions,
} from '../../src/story/index.ts'

/** What comes after the kills has its own time: all of it within 4 minutes. */
const KILLS_MS = 160_000

const view: View<PlayEvent, RehearseReport> = {
  schema: envelope(rehearseShape),
  say: event => (event.kind === 'step' ? event.text : undefined),
  move: event =>
    event.kind === 'progress'
      ? { text: `${event.text}: ${formatCount(event.sent)} written, ${formatCount(event.read)} read` }
      : undefined,
  human: rehearseText,
  exit: ({ ok }) => (ok ? EXIT.ok : EXIT.difference),
}

export default class Rehearse extends BaseCommand {
  static override summary =
    'the whole cutover and its way back on a clone, with a copy of the discovery files'
  static override description =
    'Reads the topics of --from (names, partitions, settings, the newest records, group offsets) and clones them onto ' +
    'throw-away clusters on this machine. Writers and readers follow a copy of the discovery files through a cutover, a ' +
    'rollback and a second cutover; then both clusters are read back. Prints the time of each state and the write pause ' +
    'to expect. Changes nothing real: not a cluster, not a file.'
  static override examples = [
    '<%= config.bin %> rehearse --discovery srv-configs/',
    "<%= config.bin %> rehearse --discovery srv-configs/ --topics 'orders*' --sample 1000 --still-for 30s",
  ]
  static override flags = {
    ...clusterFlags,
    ...topicFlags,
    ...groupFlags,
    ...discoveryFlags,
    ...mentionFlag,
    sample: countFlag({ summary: 'records of each partition to clone, the newest', default: 200, min: 0 }),
    'still-for': durationFlag({ summary: 'what the real cutover will be given', default: 10_000 }),
    contents: Flags.boolean({ summary: 'compare contents too, as of cutover' }),
    crashes: Flags.boolean({
      summary:
        'kill a cutover and a rollback behind each line of their journal, and start them again; default as far as it goes within 4 minutes',
      allowNo: true,
    }),
    keep: Flags.boolean({ summary: 'keep logs, journals and the copied files, and print where they are' }),
    shadow: Flags.boolean({ summary: 'on shadow topics of the real clusters: not built yet' }),
  }

  /** Asked for, kills take the time that they need. */
  #crashes(asked: boolean | undefined): RehearseOptions['crashes'] {
    if (asked === false) return undefined
    const worker = [process.execPath, process.argv[1] ?? '', 'rehearse', 'worker']
    return { worker, env: this.env, withinMs: asked ? undefined : KILLS_MS }
  }

  async run(): Promise<RehearseReport> {
    const { flags } = await this.parse(Rehearse)
    if (flags.shadow) {
      throw new KmigError(
        'UNSUPPORTED',
        'a rehearsal on shadow topics of the real clusters is not built yet',
        {
          try: ['without --shadow it runs on throw-away clusters of this machine'],
        },
      )
    }
    const { discovery, topics, exclude, groups, sample, contents, keep } = flags
    const options = {
      ...{ discovery, topics, exclude, groups, sample, contents, keep },
      from: this.cluster(flags.from),
      to: this.cluster(flags.to),
      followSymlinks: flags['follow-symlinks'],
      acceptMentions: flags['accept-mention'],
      stillForMs: flags['still-for'],
      stateDir: this.stateDirectory,
      toolVersion: this.config.version,
      crashes: this.#crashes(flags.crashes),
      sandbox: sandboxOptions(this.env, tmpdir()),
    }
    return await this.show(during => rehearse({ ...options, ...during }), view)
  }
}
