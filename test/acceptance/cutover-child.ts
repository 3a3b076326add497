import { Cutover, takeBack } from '../../src/cutover/index.ts'
import { parseBootstrap } from '../../src/kit/index.ts'

// node cutover-child.ts execute|rollback STATE OLD NEW DISCOVERY STATE_DIR NAME: kills itself on entering STATE.
const [what, state, old = '', next = '', discovery = '', stateDir = '', name = ''] = process.argv.slice(2)
const { signal } = new AbortController()
const on = (event: { kind: string; state?: { at: string } }) => {
  if (event.kind === 'state' && event.state?.at === state) process.kill(process.pid, 'SIGKILL')
}
if (what === 'execute') {
  await using cutover = await Cutover.open({
    from: { name: 'old', bootstrap: parseBootstrap(old) },
    to: { name: 'new', bootstrap: parseBootstrap(next) },
    topics: [name],
    groups: [name],
    stillForMs: 1_000,
    ...{ discovery, stateDir, name, signal, on },
  })
  await cutover.execute()
} else await takeBack({ stateDir, signal, on })
