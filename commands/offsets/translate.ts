import {
  BaseCommand,
  clusterFlags,
  countFlag,
  envelope,
  Flags,
  nameFlag,
  type View,
} from '../../src/cli/index.ts'
import { KmigError } from '../../src/kit/index.ts'
import {
  type TranslateReport,
  translateData,
  translateOffsets,
  translateShape,
  translateText,
} from '../../src/mirror/index.ts'

const view: View<never, TranslateReport> = {
  schema: envelope(translateShape),
  human: translateText,
  data: translateData,
}

export default class OffsetsTranslate extends BaseCommand {
  static override summary = 'tell where offsets of a partition are on the other cluster'
  static override description =
    'For each offset of the old cluster the offset of the first record at or after it on the new one; --reverse the other way. Offsets that are not copied yet are said to be, never guessed. Without --offset it shows how the partition stands.'
  static override examples = [
    '<%= config.bin %> offsets translate --topic orders --partition 3 --offset 1200 --offset 1300',
    '<%= config.bin %> offsets translate --topic orders --partition 3 --offset 980 --reverse',
  ]
  static override flags = {
    ...clusterFlags,
    ...nameFlag,
    topic: Flags.string({ summary: 'the topic', required: true }),
    partition: countFlag({ summary: 'the partition', min: 0, required: true }),
    offset: Flags.custom<bigint>({
      summary: 'an offset (repeatable)',
      helpValue: '<n>',
      parse: async text => {
        if (/^\d+$/.test(text) && BigInt(text) < 1n << 63n) return BigInt(text)
        throw new KmigError('USAGE', `--offset '${text}' is not an offset: a whole number from 0 to 2^63 - 1`)
      },
    })({ multiple: true }),
    reverse: Flags.boolean({ summary: 'offsets are of the new cluster' }),
  }

  async run(): Promise<void> {
    const { flags } = await this.parse(OffsetsTranslate)
    const { name, topic, partition, reverse, offset: offsets = [] } = flags
    const [from, to] = [this.cluster(flags.from), this.cluster(flags.to)]
    const options = { from, to, name, topic, partition, offsets, reverse }
    await this.show(({ signal }) => translateOffsets({ ...options, signal }), view)
  }
}
