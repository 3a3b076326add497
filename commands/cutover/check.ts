import { Args, BaseCommand, bytesFlag, envelope, Flags, type View } from '../../src/cli/index.ts'
import { type CheckedReport, checkCertificate, checkShape, checkText } from '../../src/cutover/index.ts'
import { EXIT } from '../../src/kit/index.ts'
import { type VerifyEvent, verifyEventText, verifyProgress } from '../../src/verify/index.ts'

const view: View<VerifyEvent, CheckedReport> = {
  schema: envelope(checkShape),
  say: verifyEventText,
  move: verifyProgress,
  human: checkText,
  exit: ({ equal }) => (equal ? EXIT.ok : EXIT.difference),
}

export default class CutoverCheck extends BaseCommand {
  static override summary =
    'hold a certificate against clusters and files as they are now: exit 3 if they differ'
  static override description =
    'Digests what both clusters still have of the records below the cut and compares it with the certificate; looks at log ends, groups, discovery files, journal and plan. Names what can not be compared any more. Changes nothing. Addresses are those of the certificate, credentials those of the clusters of the same names.'
  static override examples = [
    '<%= config.bin %> cutover check certificate.json',
    '<%= config.bin %> cutover check certificate.json --max-rate 50MB --json',
  ]
  static override args = {
    certificate: Args.string({ required: true, description: 'certificate.json of a run' }),
  }
  static override flags = {
    quick: Flags.boolean({ summary: 'do not read the records again' }),
    'max-rate': bytesFlag({
      summary: 'most to read a second, from both sides together, such as 50MB; default no limit',
    }),
  }

  async run(): Promise<void> {
    const { args, flags } = await this.parse(CutoverCheck)
    const access = (name: string) => this.cluster(name)
    const options = { path: args.certificate, quick: flags.quick, maxRate: flags['max-rate'], access }
    await this.show(during => checkCertificate({ ...options, ...during }), view)
  }
}
