import { tmpdir } from 'node:os'
import { BaseCommand, envelope, rehearseFlags, type View } from '../../src/cli/index.ts'
import { EXIT, formatCount, KmigError, plural } from '../../src/kit/index.ts'
import {
  type CleanReport,
  cleanShadow,
  cleanShape,
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
const cleanView: View<string, CleanReport> = {
  schema: envelope(cleanShape),
  say: text => text,
  human: ({ id, topics, groups }) =>
    `deleted what rehearsal ${id} had left: ${plural(topics, 'topic')}, ${plural(groups, 'group')}`,
}

export default class Rehearse extends BaseCommand {
  static override summary =
    'the whole cutover and its way back on a clone, with a copy of the discovery files'
  static override description =
    'Reads the topics of --from (names, partitions, settings, the newest records, group offsets) and clones them onto ' +
    'throw-away clusters on this machine. Writers and readers follow a copy of the discovery files through a cutover, a ' +
    'rollback, both once more while kmig is killed at each step, and a second cutover; then both clusters are read back. ' +
    'Prints the time of each state and the write pause to expect. Changes nothing real: not a cluster, not a file. ' +
    'With --shadow it plays on the real clusters, on topics of its own.'
  static override examples = [
    '<%= config.bin %> rehearse --discovery srv-configs/',
    "<%= config.bin %> rehearse --discovery srv-configs/ --topics 'orders*' --sample 1000 --still-for 30s",
    "<%= config.bin %> rehearse --discovery srv-configs/ --topics 'orders*' --shadow",
  ]
  static override flags = rehearseFlags

  async run(): Promise<void> {
    const { flags } = await this.parse(Rehearse)
    const { topics, exclude, groups, sample, contents, keep, clean, shadow, yes } = flags
    const ends = { from: this.cluster(flags.from), to: this.cluster(flags.to) }
    const stateDir = this.stateDirectory
    const agree = (does: string) => (text: string) => this.#agree(does, text, yes)
    if (clean !== undefined) {
      const options = { ...ends, stateDir, agree: agree('deleted on the real clusters') }
      await this.show(during => cleanShadow(clean, { ...options, ...during }), cleanView)
      return
    }
    const worker = [process.execPath, process.argv[1] ?? '', 'rehearse', 'worker']
    const killed = flags.crashes ?? !shadow
    const options = {
      ...{ ...ends, topics, exclude, groups, sample, contents, keep, stateDir },
      discovery: flags.discovery ?? '',
      followSymlinks: flags['follow-symlinks'],
      acceptMentions: flags['accept-mention'],
      stillForMs: flags['still-for'],
      toolVersion: this.config.version,
      crashes: killed ? { worker, env: this.env, thorough: flags.crashes === true } : undefined,
      shadow: shadow ? { agree: agree('made on the real clusters, and deleted at the end') } : undefined,
      sandbox: sandboxOptions(this.env, tmpdir()),
    }
    await this.show(during => rehearse({ ...options, ...during }), view)
  }

  async #agree(done: string, text: string, yes: boolean): Promise<void> {
    process.stderr.write(`${done}:\n${text}\n`)
    if (yes || (await this.confirm({ ask: `Shall this be ${done}?`, flag: '--yes' }))) return
    throw new KmigError('NEEDS_CONSENT', 'it was not agreed to; nothing was changed')
  }
}
