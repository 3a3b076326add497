import {
  BaseCommand,
  clusterFlags,
  discoveryFlags,
  editFlags,
  envelope,
  Flags,
  gitFlag,
  mentionFlag,
  type View,
} from '../../src/cli/index.ts'
import {
  asFinding,
  editKindOf,
  executeSet,
  planSet,
  type RevertReport,
  revertSet,
  revertShape,
  revertText,
  type SetReport,
  setShape,
  setText,
} from '../../src/discovery/index.ts'
import { EXIT } from '../../src/kit/index.ts'

const back: View<unknown, RevertReport> = { schema: envelope(revertShape), human: revertText }

export default class DiscoverySet extends BaseCommand {
  static override summary = 'make the entries of one cluster name another; prints the diff unless --execute'
  static override description =
    'Moves no records and no offsets: for that see cutover. Edits only the values, leaves every other byte alone, keeps the originals, and goes on or takes back what a kill left when it is started again.'
  static override examples = [
    '<%= config.bin %> discovery set --discovery srv-configs/ --from old --to new',
    '<%= config.bin %> discovery set --discovery srv-configs/ --execute --git',
    '<%= config.bin %> discovery set --discovery srv-configs/ --check',
    '<%= config.bin %> discovery set --discovery srv-configs/ --revert',
  ]
  static override flags = {
    ...clusterFlags,
    ...discoveryFlags,
    ...gitFlag,
    ...mentionFlag,
    zookeeper: Flags.string({
      summary: 'zookeeper to write; default that of --to in kmig.yaml, else it stays',
      helpValue: '<connect string>',
    }),
    ...editFlags,
    offline: Flags.boolean({ summary: 'ask no broker: match by the bootstrap addresses alone' }),
    execute: Flags.boolean({ summary: 'write it', exclusive: ['check', 'revert'] }),
    check: Flags.boolean({ summary: 'exit 3 if anything would change, or stands in the way' }),
    revert: Flags.boolean({
      summary: 'take the last write back',
      exclusive: ['check', 'only', 'beside', 'flip', 'remove-old'],
    }),
  }

  async run(): Promise<void> {
    const { flags } = await this.parse(DiscoverySet)
    const { discovery, git, zookeeper, offline, execute, check, only, beside, flip } = flags
    const base = { discovery, git, stateDir: this.stateDirectory }
    if (flags.revert) {
      await this.show(during => revertSet({ ...base, ...during }), back)
      return
    }
    const [from, to] = [this.cluster(flags.from), this.cluster(flags.to)]
    const more = { followSymlinks: flags['follow-symlinks'], acceptMentions: flags['accept-mention'] }
    const kind = editKindOf({ only, beside, flip, removeOld: flags['remove-old'] })
    const options = { ...base, ...more, from, to, zookeeper, offline, kind }
    const view: View<unknown, SetReport> = {
      schema: envelope(setShape),
      human: setText,
      data: ({ diff }) => diff.trimEnd(),
      exit: ({ edits, blockers }) =>
        check && (edits.length > 0 || blockers.length > 0)
          ? EXIT.difference
          : !execute && blockers.length > 0
            ? EXIT.refused
            : EXIT.ok,
    }
    const work = execute ? executeSet : planSet
    await this.show(async during => {
      try {
        return await work({ ...options, ...during })
      } catch (e) {
        throw check ? asFinding(e) : e
      }
    }, view)
  }
}
