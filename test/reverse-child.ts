import { parseBootstrap } from '../src/kit/index.ts'
import { ReverseMirror } from '../src/mirror/index.ts'

/** The way back of an armed run in a process of its own, until it is killed. Arguments: new, old, name, run, state directory. */
const [from = '', to = '', name = '', run = '', stateDir = ''] = process.argv.slice(2)
const reverse = await ReverseMirror.open({
  from: { name: 'new', bootstrap: parseBootstrap(from) },
  to: { name: 'old', bootstrap: parseBootstrap(to) },
  ...{ name, run, stateDir },
  signal: new AbortController().signal,
})
await reverse.arm(reverse.cut)
await reverse.start()
process.stdout.write('started\n')
