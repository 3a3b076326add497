import { apply, planEdits, readDirectory, revert } from '../../src/discovery/index.ts'
import { NEW, OLD } from './cases.ts'

// node crash-child.ts apply|revert ROOT JOURNAL N: does it, and kills itself at the Nth event.
const [what, root = '', journalDir = '', after] = process.argv.slice(2)
let events = 0
const on = () => {
  events += 1
  if (events === Number(after)) process.kill(process.pid, 'SIGKILL')
}
if (what === 'apply') {
  await apply(await planEdits(await readDirectory(root), { old: OLD, next: NEW }), { journalDir, on })
} else await revert({ journalDir, on })
process.stdout.write(String(events))
