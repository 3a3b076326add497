import { existsSync } from 'node:fs'
import { cpus } from 'node:os'
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
const LIMITS: Record<string, number> = { 'every ACL read': 5 }

/**
 * 100,000 znodes of 100 bytes with one shared ACL, fan-out 1,000, between two real ensembles of one server each:
 * `node bin/kmig.js zkcopy` from its start to its end, median of 5, and a copier that handles one znode at a time.
 * `--nodes N` and `--runs N` make it smaller.
 */
export const bench = async (args: readonly string[]): Promise<void> => {
  if (!existsSync(DIST)) throw new Error('build it first: npm run build')
  const number = (flag: string, otherwise: number) =>
    args.includes(flag) ? Number(args[args.indexOf(flag) + 1]) : otherwise
  const [nodes, runs] = [number('--nodes', 100_000), number('--runs', 5)]
  const tell = (text: string) => process.stderr.write(`${text}\n`)

  await using sandbox = await Sandbox.open(sandboxOptions())
  const start = () => sandbox.start({ kind: 'zookeeper', version: '3.9.2', brokers: 0, profile: 'bench' })
  const [source, target] = (await Promise.all([start(), start()])).map(
    cluster => cluster.zookeeper?.replace(/\/.*/, '') ?? '',
  ) as [string, string]
  await using from = await ZkSession.open({ servers: parseConnectString(source).servers })
  await using to = await ZkSession.open({ servers: parseConnectString(target).servers })
  tell(`filling ${source} with ${nodes} znodes of ${DATA.length} B`)
  await fill(from, nodes)

  const copy = async (root: string, flags: string[] = []): Promise<Taken> =>
    await run([
      KMIG,
      'zkcopy',
      '--from',
      `${source}/app`,
      '--to',
      target + root,
      '--json',
      '--quiet',
      ...flags,
    ])
  const rows = new Map<string, Taken[]>()
  const add = async (name: string, once: () => Promise<Taken>): Promise<void> => {
    const one = await once()
    tell(`${name}: ${(one.wallMs / 1000).toFixed(2)} s`)
    rows.set(name, [...(rows.get(name) ?? []), one])
  }
  const expectWritten = (taken: Taken, written: number): Taken => {
    if (taken.code !== 0) throw new Error(`zkcopy ended with ${taken.code}: ${taken.stdout}`)
    const { created, updated } = JSON.parse(taken.stdout) as { created: number; updated: number }
    if (created + updated !== written)
      throw new Error(`${created + updated} written, not ${written}: ${taken.stdout}`)
    return taken
  }
  for (let i = 0; i < runs; i++) {
    await add('every ACL read', async () => expectWritten(await copy('/full'), nodes + 1))
    await add('again, nothing to write', async () => expectWritten(await copy('/full'), 0))
    const sinceMs = await change(from, nodes, Math.ceil(nodes / 100))
    const since = ['--since', String(sinceMs), '--overlap', '0s']
    await add('catch-up of 1 %', async () =>
      expectWritten(await copy('/full', since), Math.ceil(nodes / 100)),
    )
    await wipe(to, '/full')
    await add('--acl uniform', async () =>
      expectWritten(await copy('/uniform', ['--acl', 'uniform']), nodes + 1),
    )
    await wipe(to, '/uniform')
  }
  await add('one znode at a time', () =>
    run([NAIVE, `${source}/app`, `${target}/naive`]).then(taken => {
      if (taken.code !== 0) throw new Error(`the naive copier failed: ${taken.stdout}`)
      return taken
    }),
  )
  const naiveMs = median((rows.get('one znode at a time') ?? []).map(({ wallMs }) => wallMs))
  const cells = [...rows].map(([name, all]) => {
    const wallMs = median(all.map(taken => taken.wallMs))
    const limit = LIMITS[name]
    return [
      name,
      (wallMs / 1_000).toFixed(2),
      Math.round((nodes * 1_000) / wallMs).toLocaleString('en-US'),
      `${(naiveMs / wallMs).toFixed(1)}x`,
      (median(all.map(taken => taken.cpuMs)) / 1_000).toFixed(2),
      String(Math.round(Math.max(...all.map(taken => taken.rssBytes)) / 2 ** 20)),
      limit === undefined ? '' : wallMs <= limit * 1_000 ? `<= ${limit} s: yes` : `<= ${limit} s: NO`,
    ]
  })
  const title = `zkcopy: ${nodes.toLocaleString('en-US')} znodes of ${DATA.length} B, fan-out ${FAN_OUT}, one ACL; median of ${runs}; ${cpus().length} cores`
  const heads = ['', 'seconds', 'znodes/s', 'ratio', 'CPU s', 'RSS MiB', 'must reach']
  process.stdout.write(`${title}\n${table([heads, ...cells])}\n`)
  const missed = cells.some(row => row.at(-1)?.endsWith('NO'))
  if (missed && nodes === 100_000) process.exitCode = 1
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

/** Sets a part of the znodes; gives the time from which on only they were modified. */
const change = async (session: ZkSession, nodes: number, count: number): Promise<number> => {
  await new Promise(resolve => setTimeout(resolve, 5))
  const sinceMs = Date.now()
  const step = Math.floor((nodes * 0.9) / count)
  const data = Buffer.from(`changed ${sinceMs}`.padEnd(DATA.length))
  const ops = Array.from({ length: count }, (_, i) => {
    return { kind: 'set', path: pathOf(i * step), data, version: -1 } as const
  })
  for (let i = 0; i < ops.length; i += 500) must(await session.call(multi, ops.slice(i, i + 500)), 'change')
  return sinceMs
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
