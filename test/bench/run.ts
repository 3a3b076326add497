/** `npm run bench -- <name> [arguments]`: each benchmark starts its own servers and prints one table. */
const BENCHES = {
  mirror: () => import('./mirror.ts'),
  runmap: () => import('./runmap.ts'),
  holes: () => import('./holes.ts'),
  plan: () => import('./plan.ts'),
  verify: () => import('./verify.ts'),
  zkcopy: () => import('./zkcopy.ts'),
}

const [name = '', ...args] = process.argv.slice(2)
const load = Object.hasOwn(BENCHES, name) ? BENCHES[name as keyof typeof BENCHES] : undefined
if (load) await (await load()).bench(args)
else {
  process.stderr.write(`usage: npm run bench -- ${Object.keys(BENCHES).join('|')}\n`)
  process.exitCode = 2
}
