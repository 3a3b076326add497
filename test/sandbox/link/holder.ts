import { Link } from '../../../src/sandbox/link/link.ts'

const [host = '', listen, target] = process.argv.slice(2)
const link = await Link.open({
  listen: { host, port: Number(listen) },
  target: { host, port: Number(target) },
})
process.stdout.write(`${link.pid}\n`)
