import {
  BaseCommand,
  clusterFlags,
  countFlag,
  durationFlag,
  envelope,
  Flags,
  int64,
} from '../../src/cli/index.ts'
import { KmigError, sleep } from '../../src/kit/index.ts'

type Event = { kind: 'copied'; records: bigint }
type Report = { records: bigint; left?: number }

/** A command that does what its flags say, for tests of what every command has. */
class Probe extends BaseCommand {
  static override id = 'probe deep'
  static override flags = {
    ...clusterFlags,
    fail: Flags.string(),
    throw: Flags.boolean(),
    wrong: Flags.boolean(),
    difference: Flags.boolean(),
    ask: Flags.boolean(),
    resolve: Flags.boolean(),
    yields: Flags.boolean(),
    wait: durationFlag(),
    stubborn: Flags.boolean(),
    ends: Flags.boolean(),
    count: countFlag({ max: 9 }),
  }
  async run(): Promise<Report> {
    const { flags } = await this.parse(Probe)
    if (flags.fail) {
      throw new KmigError('LOCKED', flags.fail, { try: ['wait'], cause: new Error('the cause beneath') })
    }
    if (flags.throw) throw new TypeError('not a thing')
    if (flags.resolve) this.cluster(flags.from)
    if (flags.ask) await this.confirm({ ask: 'Write?', flag: '--yes' })
    const report: Report = { records: 2n ** 62n, ...(flags.wrong ? { left: 1 } : {}) }
    return await this.show<Event, Report>(
      flags.yields
        ? async function* () {
            yield { kind: 'copied', records: 1n }
            yield { kind: 'copied', records: 2n }
            return report
          }
        : async ({ signal, on }) => {
            on?.({ kind: 'copied', records: 1n })
            if (flags.wait) {
              process.stderr.write('working\n')
              await sleep(flags.wait, flags.stubborn ? undefined : signal).catch(e => {
                if (!flags.ends) throw e
              })
            }
            return report
          },
      {
        schema: envelope({ records: int64 }),
        say: ({ records }) => `said ${records}`,
        move: ({ records }) => ({ text: `moved ${records}`, part: 0.5 }),
        human: ({ records }) => `${records} records`,
        data: ({ records }) => `data ${records}`,
        exit: () => (flags.difference ? 3 : 0),
      },
    )
  }
}
await Probe.run(process.argv.slice(2), import.meta.url)
