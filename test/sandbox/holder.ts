import { Sandbox, type Spec } from '../../src/sandbox/index.ts'
import { sandboxEnvironment } from '../../src/sandbox/options.ts'

const [spec, root] = process.argv.slice(2).map(text => JSON.parse(text)) as [Spec, string]
const sandbox = await Sandbox.open({ root, ...sandboxEnvironment(process.env) })
const cluster = await sandbox.start(spec)
process.stdout.write(
  `${JSON.stringify({ pids: cluster.nodes.map(node => node.pid), host: cluster.node(1).host, directory: sandbox.directory })}\n`,
)
setInterval(() => {}, 60_000)
