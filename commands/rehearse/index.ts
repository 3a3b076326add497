import { tmpdir } from 'node:os'
import { BaseCommand, envelope, rehearseFlags, type View } from '../../src/cli/index.ts'
import { EXIT, formatCount, KmigError } from '../../src/kit/index.ts'
import {
  type PlayEvent,
  type RehearseReport,
  rehearse,
  rehearseShape,
  rehearseText,
  sandboxOptions,
} from '../../src/story/index.ts'

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
  static override flags = rehearseFlags

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
    const worker = [process.execPath, process.argv[1] ?? '', 'rehearse', 'worker']
    const options = {
      ...{ discovery, topics, exclude, groups, sample, contents, keep },
      from: this.cluster(flags.from),
      to: this.cluster(flags.to),
      followSymlinks: flags['follow-symlinks'],
      acceptMentions: flags['accept-mention'],
      stillForMs: flags['still-for'],
      stateDir: this.stateDirectory,
      toolVersion: this.config.version,
      crashes:
        flags.crashes === false ? undefined : { worker, env: this.env, thorough: flags.crashes === true },
      sandbox: sandboxOptions(this.env, tmpdir()),
    }
    return await this.show(during => rehearse({ ...options, ...during }), view)
  }
}
