// kmig needs Node 22.15 (zstd in node:zlib, `using`). Where an older one starts it and the `node` package stands
// beside it, that one takes over; signals are handed on, and the child ends when this process dies in any way.
import { spawn } from 'node:child_process'
import module, { createRequire } from 'node:module'
import { constants, homedir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
if (process.channel && process.env['KMIG_REEXEC'] === '1') {
  delete process.env['KMIG_REEXEC']
  process.on('disconnect', () => process.exit(137))
  process.channel.unref()
}
if (major < 22 || (major === 22 && minor < 15)) {
  let node
  try {
    node = createRequire(import.meta.url).resolve('node/bin/node')
  } catch {
    process.stderr.write(
      `kmig needs Node >= 22.15, this is ${process.versions.node}: install a newer Node and try again\n`,
    )
    process.exit(2)
  }
  const child = spawn(node, process.argv.slice(1), {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    env: { ...process.env, KMIG_REEXEC: '1' },
  })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  const [code, signal] = await new Promise(done => child.once('exit', (...how) => done(how)))
  process.exit(signal ? 128 + constants.signals[signal] : code)
}
// Compiled code is kept between runs, which takes a fifth off the start; in the user's own directory, not a shared one.
module.enableCompileCache?.(
  join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'kmig', 'compiled'),
)
