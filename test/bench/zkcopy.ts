import { existsSync, mkdtempSync } from 'node:fs'
import { cpus, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { Sandbox } from '../../src/sandbox/index.ts'
import {
  codeError,
  create,
  getChildren,
  multi,
  must,
  OPEN_ACL,
  parseConnectString,
  ZkSession,
} from '../../src/zookeeper/index.ts'
import { sandboxOptions } from '../sandbox-helper.ts'
import { median, run, type Taken, table } from './measure.ts'

const KMIG = new URL('../../bin/kmig.js', import.meta.url).pathname
const NAIVE = new URL('./naive-copy.ts', import.meta.url).pathname
const DIST = new URL('../../dist/commands/zkcopy.js', import.meta.url).pathname
const FAN_OUT = 1_000
const DATA = Buffer.alloc(100, 'x')
const NAIVE_ROW = 'one znode at a time'
const LOCAL_ROW = '--acl uniform'

/** What must be reached: seconds, times faster than one znode at a time, times slower than the local copy, MiB. */
type Must = { seconds?: number; ratio?: number; timesLocal?: number; mib?: number }
const MUST: Record<string, Must> = {
  'every ACL read': { seconds: 8, ratio: 4 },
  [LOCAL_ROW]: { seconds: 4, ratio: 10 },
  'catch-up of 1 %': { seconds: 1.5 },
  'verify without ACLs': { seconds: 1.5 },
  'both sides 20 ms away': { timesLocal: 2 },
}
const MUST_OF_A_MILLION: Record<string, Must> = {
  [LOCAL_ROW]: { seconds: 60, mib: 300 },
  'every ACL read': { mib: 300 },
  'verify with ACLs': { mib: 300 },
}

/**
 * 100,000 znodes of 100 bytes with one shared ACL, fan-out 1,000, between two real ensembles of one server each:
 * `node bin/kmig.js` from its start to its end, median of 5, and a copier that handles one znode at a time.
 * `--nodes N` and `--runs N` make it smaller; `--million` copies 1,000,000 once by each way, and verifies them.
 */
export const bench = async (args: readonly string[]): Promise<void> => {
  if (!existsSync(DIST)) throw new Error('build it first: npm run build')
  const million = args.includes('--million')
  const number = (flag: string, otherwise: number) =>
    args.includes(flag) ? Number(args[args.indexOf(flag) + 1]) : otherwise
  const [nodes, runs] = [number('--nodes', million ? 1_000_000 : 100_000), number('--runs', million ? 1 : 5)]
  const tell = (text: string) => process.stderr.write(`${text}\n`)

  await using sandbox = await Sandbox.open(sandboxOptions())
  const start = () =>
    sandbox.start({
      ...{ kind: 'zookeeper', version: '3.9.2', brokers: 0, profile: 'bench', listeners: ['link'] },
    })
  const clusters = await Promise.all([start(), start()])
  const bare = (text = '') => text.replace(/\/.*/, '')
  const [source, target] = clusters.map(({ zookeeper }) => bare(zookeeper)) as [string, string]
  const [farSource, farTarget] = clusters.map(({ linkedZookeeper }) => bare(linkedZookeeper)) as [
    string,
    string,
  ]
  for (const cluster of clusters) await cluster.link(9).shape({ delayMs: 10 })
  await using from = await ZkSession.open({ servers: parseConnectString(source).servers })
  await using to = await ZkSession.open({ servers: parseConnectString(target).servers })
  tell(`filling ${source} with ${nodes} znodes of ${DATA.length} B`)
  await fill(from, nodes)

  const near = { from: source, to: target }
  const kmig = async (command: string[], root: string, flags: string[] = [], at = near): Promise<Taken> => {
    const ends = ['--from', `${at.from}/app`, '--to', at.to + root]
    const taken = await run([KMIG, ...command, ...ends, '--json', '--quiet', ...flags])
    if (taken.code !== 0) throw new Error(`${command.join(' ')} ended with ${taken.code}: ${taken.stdout}`)
    return taken
  }
  const copy = async (root: string, written: number, flags: string[] = [], at = near): Promise<Taken> => {
    const taken = await kmig(['zkcopy'], root, flags, at)
    const { created, updated } = JSON.parse(taken.stdout) as { created: number; updated: number }
    if (created + updated !== written)
      throw new Error(`${created + updated} written, not ${written}: ${taken.stdout}`)
    return taken
  }
  const rows = new Map<string, Taken[]>()
  const add = async (name: string, once: () => Promise<Taken>): Promise<void> => {
    const one = await once()
    tell(`${name}: ${(one.wallMs / 1000).toFixed(2)} s, ${(one.cpuMs / 1000).toFixed(2)} s of CPU`)
    rows.set(name, [...(rows.get(name) ?? []), one])
  }
  const uniform = ['--acl', 'uniform']
  for (let i = 0; i < runs; i++) {
    if (!million) {
      const state = ['--state', join(mkdtempSync(join(tmpdir(), 'kmig-bench-')), 'state')]
      await add('every ACL read', () => copy('/full', nodes + 1, state))
      await add('again, nothing to write', () => copy('/full', 0))
      const changed = Math.ceil(nodes / 100)
      await change(from, nodes, changed)
      await add('catch-up of 1 %', () => copy('/full', changed, state))
      await add('verify without ACLs', () => kmig(['zk', 'verify'], '/full', ['--acl', 'ignore']))
      await add('verify with ACLs', () => kmig(['zk', 'verify'], '/full'))
      await wipe(to, '/full')
    }
    await add(LOCAL_ROW, () => copy('/uniform', nodes + 1, uniform))
    await wipe(to, '/uniform')
    if (million) {
      await add('every ACL read', () => copy('/full', nodes + 1))
      await add('verify with ACLs', () => kmig(['zk', 'verify'], '/full'))
      await wipe(to, '/full')
      continue
    }
    const far = { from: farSource, to: farTarget }
    await add('both sides 20 ms away', () => copy('/uniform', nodes + 1, uniform, far))
    await wipe(to, '/uniform')
  }
  if (!million) {
    await add(NAIVE_ROW, () =>
      run([NAIVE, `${source}/app`, `${target}/naive`]).then(taken => {
        if (taken.code !== 0) throw new Error(`the naive copier failed: ${taken.stdout}`)
        return taken
      }),
    )
  }
  const middle = (name: string) => median((rows.get(name) ?? []).map(({ wallMs }) => wallMs))
  const verdicts: boolean[] = []
  const cells = [...rows].map(([name, all]) => {
    const wallMs = middle(name)
    const ratio = middle(NAIVE_ROW) / wallMs
    const timesLocal = wallMs / middle(LOCAL_ROW)
    const mib = Math.round(Math.max(...all.map(taken => taken.rssBytes)) / 2 ** 20)
    const must = (million ? MUST_OF_A_MILLION : MUST)[name] ?? {}
    const judged = [
      ...(must.seconds ? [[`<= ${must.seconds} s`, wallMs <= must.seconds * 1_000] as const] : []),
      ...(must.ratio ? [[`>= ${must.ratio}x`, ratio >= must.ratio] as const] : []),
      ...(must.timesLocal
        ? [[`<= ${must.timesLocal} times local`, timesLocal <= must.timesLocal] as const]
        : []),
      ...(must.mib ? [[`<= ${must.mib} MiB`, mib <= must.mib] as const] : []),
    ]
    verdicts.push(...judged.map(([, reached]) => reached))
    return [
      name,
      (wallMs / 1_000).toFixed(2),
      Math.round((nodes * 1_000) / wallMs).toLocaleString('en-US'),
      million ? '' : `${ratio.toFixed(1)}x`,
      timesLocal.toFixed(2),
      (median(all.map(taken => taken.cpuMs)) / 1_000).toFixed(2),
      String(mib),
      judged.map(([text, reached]) => `${text}: ${reached ? 'yes' : 'NO'}`).join(', '),
    ]
  })
  const title = `zkcopy: ${nodes.toLocaleString('en-US')} znodes of ${DATA.length} B, fan-out ${FAN_OUT}, one ACL; median of ${runs}; ${cpus().length} cores, load ${loadavg()[0]?.toFixed(1)}`
  const heads = ['', 'seconds', 'znodes/s', 'ratio', 'of local', 'CPU s', 'RSS MiB', 'must reach']
  process.stdout.write(`${title}\n${table([heads, ...cells])}\n`)
  if (verdicts.includes(false) && nodes >= 100_000) process.exitCode = 1
}

const pathOf = (i: number): string => `/app/p${Math.floor(i / FAN_OUT)}/n${i % FAN_OUT}`

const fill = async (session: ZkSession, nodes: number): Promise<void> => {
  must(await session.call(create, { path: '/app', data: null, acl: OPEN_ACL }), 'create /app')
  const parents = Math.ceil(nodes / (FAN_OUT + 1))
  for (let p = 0, left = nodes - parents; p < parents; p++, left -= FAN_OUT) {
    const paths = Array.from({ length: Math.min(FAN_OUT, left) }, (_, i) => pathOf(p * FAN_OUT + i))
    const ops = [`/app/p${p}`, ...paths].map(
      path => ({ kind: 'create', path, data: DATA, acl: OPEN_ACL }) as const,
    )
    for (const code of must(await session.call(multi, ops), 'fill'))
      if (code !== 0) throw codeError(code, 'fill')
  }
}

/** Sets a part of the znodes. */
const change = async (session: ZkSession, nodes: number, count: number): Promise<void> => {
  const step = Math.floor((nodes * 0.9) / count)
  const data = Buffer.from(`changed ${Date.now()}`.padEnd(DATA.length))
  const ops = Array.from({ length: count }, (_, i) => {
    return { kind: 'set', path: pathOf(i * step), data, version: -1 } as const
  })
  for (let i = 0; i < ops.length; i += 500) must(await session.call(multi, ops.slice(i, i + 500)), 'change')
}

const wipe = async (session: ZkSession, root: string): Promise<void> => {
  const names = async (path: string) => must(await session.call(getChildren, { path }), `children of ${path}`)
  const gone = (path: string) => ({ kind: 'delete', path, version: -1 }) as const
  for (const parent of await names(root)) {
    const below = (await names(`${root}/${parent}`)).map(name => gone(`${root}/${parent}/${name}`))
    must(await session.call(multi, [...below, gone(`${root}/${parent}`)]), 'wipe')
  }
  must(await session.call(multi, [gone(root)]), 'wipe')
}
