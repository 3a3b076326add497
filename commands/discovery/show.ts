import { BaseCommand, discoveryFlags, envelope, Flags, type View } from '../../src/cli/index.ts'
import { discoveryDirectories } from '../../src/config/index.ts'
import {
  addressesOf,
  type ShowReport,
  showData,
  showDiscovery,
  showShape,
  showText,
} from '../../src/discovery/index.ts'
import type { During } from '../../src/kit/index.ts'

const view: View<never, ShowReport> = { schema: envelope(showShape), human: showText, data: showData }
const cluster = (summary: string) => Flags.string({ summary, helpValue: '<cluster>' })

export default class DiscoveryShow extends BaseCommand {
  static override summary = 'show what readers find in discovery files, and which entries name a cluster'
  static override description =
    'Without --discovery it looks where readers do: $KAFKA_DISCOVERY_DIR, $HOME/.kafka_discovery, /etc/kafka_discovery. Changes nothing.'
  static override examples = [
    '<%= config.bin %> discovery show',
    '<%= config.bin %> discovery show --discovery srv-configs/ --from old --to new',
  ]
  static override flags = {
    ...discoveryFlags,
    discovery: Flags.string({ summary: 'directory, in place of the lookup', helpValue: '<dir>' }),
    from: cluster('the old cluster, to tell entries and mentions that name it'),
    to: cluster('the new cluster, to tell entries that name it'),
    offline: Flags.boolean({ summary: 'ask no broker: match by the bootstrap addresses alone' }),
  }

  async run(): Promise<void> {
    const { flags } = await this.parse(DiscoveryShow)
    const { discovery, offline } = flags
    const directories =
      discovery === undefined ? discoveryDirectories(this.env) : [{ path: discovery, why: '--discovery' }]
    const addresses = async (name: string | undefined, { signal }: During) =>
      name === undefined ? undefined : await addressesOf(this.cluster(name), { offline, signal })
    await this.show(async during => {
      const [old, next] = [await addresses(flags.from, during), await addresses(flags.to, during)]
      const { signal } = during
      return await showDiscovery({ directories, followSymlinks: flags['follow-symlinks'], old, next, signal })
    }, view)
  }
}
