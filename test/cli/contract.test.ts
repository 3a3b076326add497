import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { envelope } from '../../src/cli/index.ts'
import {
  barrierShape,
  checkShape,
  cutoverPlanShape,
  cutoverReportShape,
  doctorShape,
  rollbackShape,
  statusShape,
  verbShape,
} from '../../src/cutover/index.ts'
import { lintShape, revertShape, setShape, showShape } from '../../src/discovery/index.ts'
import { stressShape } from '../../src/load/index.ts'
import { groupOffsetsShape, planShape, reportShape, translateShape } from '../../src/mirror/index.ts'
import { demoShape, rehearseShape } from '../../src/story/index.ts'
import { verifyShape } from '../../src/verify/index.ts'
import {
  dumpShape,
  duShape,
  latencyShape,
  restoreShape,
  smokeShape,
  reportShape as zkcopyShape,
  verifyShape as zkVerifyShape,
} from '../../src/zkcopy/index.ts'
import { allCommands, flagsOf } from './all-commands.ts'

/** What `--json` prints, by the file that publishes it. A change is seen in a review: `vitest run -u test/cli`. */
const SHAPES: Record<string, z.ZodRawShape> = {
  barrier: barrierShape,
  cutover: cutoverReportShape,
  'cutover-check': checkShape,
  'cutover-plan': cutoverPlanShape,
  'cutover-rollback': rollbackShape,
  'cutover-status': statusShape,
  'cutover-verbs': verbShape,
  demo: demoShape,
  doctor: doctorShape,
  'discovery-lint': lintShape,
  'discovery-revert': revertShape,
  'discovery-set': setShape,
  'discovery-show': showShape,
  mirror: reportShape,
  'mirror-plan': planShape,
  'offsets-show': groupOffsetsShape,
  'offsets-sync': groupOffsetsShape,
  'offsets-translate': translateShape,
  rehearse: rehearseShape,
  stress: stressShape,
  verify: verifyShape,
  'zk-du': duShape,
  'zk-dump': dumpShape,
  'zk-latency': latencyShape,
  'zk-restore': restoreShape,
  'zk-smoke': smokeShape,
  'zk-verify': zkVerifyShape,
  zkcopy: zkcopyShape,
}

describe('what scripts rely on is published and changes only on purpose', () => {
  for (const [name, shape] of Object.entries(SHAPES)) {
    test(`the JSON of ${name}`, async () => {
      const schema = z.toJSONSchema(envelope(shape))
      await expect(`${JSON.stringify(schema, undefined, 2)}\n`).toMatchFileSnapshot(
        `../../docs/schemas/${name}.json`,
      )
    })
  }
  test('the flags of every command', async () => {
    const lines = [...(await allCommands())].flatMap(([name, command]) => [
      `kmig ${name}`,
      ...Object.entries(flagsOf(command))
        .map(([flag, { type, required, ...more }]) => {
          const choices = 'options' in more ? (more.options as string[] | undefined)?.join('|') : ''
          const repeatable = 'multiple' in more && more.multiple ? 'repeatable' : ''
          const notes = [type, repeatable, required ? 'required' : '', choices]
          return `  --${flag}  ${notes.filter(Boolean).join(', ')}`
        })
        .sort(),
    ])
    await expect(`${lines.join('\n')}\n`).toMatchFileSnapshot('../../docs/schemas/flags.txt')
  })
})
