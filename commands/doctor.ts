import {
  BaseCommand,
  checkFlags,
  clusterFlags,
  discoveryFlags,
  durationFlag,
  envelope,
  Flags,
  gitFlag,
  groupFlags,
  nameFlag,
  topicFlags,
  type View,
} from '../src/cli/index.ts'
import {
  blocking,
  CHECKS,
  type DoctorReport,
  doctor,
  doctorShape,
  doctorText,
  driverNamed,
} from '../src/cutover/index.ts'
import { EXIT } from '../src/kit/index.ts'

const view: View<never, DoctorReport> = {
  schema: envelope(doctorShape),
  human: doctorText,
  exit: ({ findings }) => (blocking(findings).length > 0 ? EXIT.refused : EXIT.ok),
}

export default class Doctor extends BaseCommand {
  static override summary =
    'look at both clusters and the files before a cutover: exit 4 if something blocks it'
  static override description =
    'Each check has an id, and each finding says what was seen and what to do about it. What can not be looked at is listed as not checked, with the reason. Changes nothing.'
  static override examples = [
    '<%= config.bin %> doctor --from old --to new',
    '<%= config.bin %> doctor --discovery srv-configs/ --git --fence acl-deny --json',
    '<%= config.bin %> doctor --accept auto-create --accept disk',
  ]
  static override flags = {
    ...clusterFlags,
    ...topicFlags,
    ...groupFlags,
    ...nameFlag,
    ...discoveryFlags,
    discovery: Flags.string({ summary: 'directory of discovery files', helpValue: '<dir>' }),
    ...gitFlag,
    hooks: Flags.string({ summary: 'directory of hooks', helpValue: '<dir>' }),
    fence: Flags.string({ summary: 'how writers will be kept off; it is tried', helpValue: '<driver>' }),
    'still-for': durationFlag({ summary: 'how long no log end may move', default: 10_000 }),
    'max-fence': durationFlag({ summary: 'how long writers may stand still', default: 45_000 }),
    ...checkFlags(CHECKS),
  }

  async run(): Promise<void> {
    const { flags } = await this.parse(Doctor)
    const { name, topics, exclude, groups, discovery, git, hooks: hooksDir, accept = [] } = flags
    const options = {
      ...{ name, topics, exclude, groups, discovery, git, hooksDir, accept },
      from: this.cluster(flags.from),
      to: this.cluster(flags.to),
      stateDir: this.stateDirectory,
      followSymlinks: flags['follow-symlinks'],
      fence: flags.fence === undefined ? undefined : driverNamed(flags.fence),
      windowMs: flags['still-for'],
      maxFenceMs: flags['max-fence'],
      rehearsedWithinMs: flags['require-rehearsal'],
    }
    await this.show(({ signal }) => doctor({ ...options, signal }), view)
  }
}
