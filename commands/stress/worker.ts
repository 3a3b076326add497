import { BaseCommand, countFlag, Flags } from '../../src/cli/index.ts'
import { locateCluster } from '../../src/discovery/index.ts'
import { parentOf, stressWorker } from '../../src/load/index.ts'

export default class StressWorker extends BaseCommand {
  static override hidden = true
  static override summary = 'one process of kmig stress; started by it, of no use by itself'
  static override flags = {
    cluster: Flags.string({
      summary: 'clusters that the client may find (repeatable); without --discovery the first is used',
      multiple: true,
      required: true,
      helpValue: '<cluster>',
    }),
    discovery: Flags.string({ summary: 'directory of discovery files', helpValue: '<dir>' }),
    turn: countFlag({ summary: 'which of the files that name one of them', default: 0, min: 0 }),
  }

  async run(): Promise<void> {
    const { flags } = await this.parse(StressWorker)
    const { discovery: root, turn } = flags
    const clusters = flags.cluster.map(name => this.cluster(name))
    const locate = async () => {
      const [first] = clusters
      const { cluster, bootstrap } =
        root === undefined && first
          ? { cluster: first, bootstrap: first.bootstrap }
          : await locateCluster({ root: root ?? '', clusters, turn })
      return { bootstrap, security: cluster.security }
    }
    await stressWorker({ ...parentOf(process), ...this.during, locate })
  }
}
