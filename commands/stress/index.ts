import { spawn } from 'node:child_process'
import { join, resolve } from 'node:path'
import { BaseCommand, envelope, loadFlags, stressFlags, type View } from '../../src/cli/index.ts'
import { locateCluster } from '../../src/discovery/index.ts'
import { KmigError, makeDirectory } from '../../src/kit/index.ts'
import {
  type StressEvent,
  type StressReport,
  stress,
  stressEventText,
  stressExit,
  stressProgress,
  stressShape,
  stressText,
} from '../../src/load/index.ts'

const view: View<StressEvent, StressReport> = {
  schema: envelope(stressShape),
  say: stressEventText,
  move: stressProgress,
  human: stressText,
  exit: stressExit,
}

export default class Stress extends BaseCommand {
  static override summary = 'writers and readers with serial numbers: find loss, repeats and disorder, exit 3'
  static override description =
    'Each client is a process of its own with a journal on disk. At the end the cluster is read back and held against the journals: every record that was acknowledged must be there once and in order. Against one cluster, or a pair: then --to must hold it all.'
  static override examples = [
    '<%= config.bin %> stress --cluster new --duration 10m --rate 5000',
    '<%= config.bin %> stress --from old --to new --discovery srv-configs/ --pause-file /tmp/fence --restart-every 30s',
  ]
  static override flags = { ...stressFlags, ...loadFlags }

  async run(): Promise<void> {
    const { flags } = await this.parse(Stress)
    const { topic, partitions, writers, readers, rate, bytes, codec, discovery } = flags
    const names = flags.cluster ? [flags.cluster] : flags.from && flags.to ? [flags.from, flags.to] : []
    const clusters = names.map(name => this.cluster(name))
    const [from, check] = [clusters[0], clusters.at(-1)]
    if (!from || !check)
      throw new KmigError('USAGE', 'no cluster is named', { try: ['--cluster, or --from and --to'] })
    if (discovery) await locateCluster({ root: discovery, clusters }) // or every client would find out for itself
    const directory = resolve(
      flags.journals ?? join(this.stateDirectory, 'stress', new Date().toISOString().replaceAll(':', '')),
    )
    makeDirectory(directory)
    const shared = [
      ...names.flatMap(name => ['--cluster', name]),
      ...(discovery ? ['--discovery', resolve(discovery)] : []),
      ...(flags.config ? ['--config', flags.config] : []),
    ]
    const options = {
      ...{
        from,
        check,
        topic,
        partitions,
        writers,
        readers,
        rate,
        bytes,
        codec,
        directory,
        perBatch: flags.batch,
      },
      durationMs: flags.duration,
      restartEveryMs: flags['restart-every'] ?? 0,
      pauseFile: flags['pause-file'] && resolve(flags['pause-file']),
      settleMs: flags.settle,
      // in a group of its own: ^C is for this process, which lets the clients end
      spawn: (_role: string, index: number) =>
        spawn(
          process.execPath,
          [process.argv[1] ?? '', 'stress', 'worker', '--turn', String(index), ...shared],
          {
            stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
            detached: true,
          },
        ),
    }
    await this.show(during => stress({ ...options, ...during }), view)
  }
}
