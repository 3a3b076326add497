import * as z from 'zod'
import { type During, formatBytes, formatCount, formatDuration } from '../kit/index.ts'
import { joinPath } from '../zookeeper/index.ts'
import type { End } from './ensembles.ts'
import { OneEnsemble } from './one-ensemble.ts'
import { scan } from './scan.ts'

/** What stands at a path and below it. Bytes are those of the data, without paths and ACLs. */
export type Usage = { path: string; znodes: number; bytes: number; ephemerals: number; largest: number }
export type DuReport = Omit<Usage, 'path'> & {
  from: string
  depth: number
  /** How many paths there are from the root to `depth`; `prefixes` has the first of them, by bytes. */
  paths: number
  prefixes: Usage[]
  vanished: number
  elapsedMs: number
}
export type DuEvent = { kind: 'progress'; znodes: number; bytes: number }
export type DuOptions = During<DuEvent> & {
  from: End
  /** Levels below the root that are told apart. */
  depth: number
  /** Most prefixes that are given. */
  top: number
  withinMs?: number | undefined
}

const count = z.int().nonnegative()
const usage = {
  znodes: count.describe('the path itself and all below it'),
  bytes: count.describe('of data'),
  ephemerals: count,
  largest: count.describe('bytes of the largest znode'),
}
/** Fields of `kmig zk du --json` besides the envelope. */
export const duShape = {
  from: z.string(),
  depth: count,
  ...usage,
  paths: count.describe('paths from the root to that depth'),
  prefixes: z.array(z.strictObject({ path: z.string(), ...usage })).describe('the first of them, by bytes'),
  vanished: count.describe('deleted during the scan'),
  elapsedMs: count,
}

/** Counts znodes and bytes below each prefix. Throws ZK_NO_NODE, ZK_NO_AUTH, UNREACHABLE. */
export const du = async ({ from, depth, top, signal, withinMs, on }: DuOptions): Promise<DuReport> => {
  const startedAt = performance.now()
  await using ensemble = await OneEnsemble.open(from, { signal, withinMs })
  await ensemble.mustHaveRoot()
  await ensemble.sync(signal)
  const root = from.chroot
  const found = new Map<string, Usage>()
  let vanished = 0
  const onVanished = () => vanished++
  for await (const group of scan({ reader: ensemble.reader, root, withAcls: false, signal, onVanished })) {
    for (const { path, data, stat } of group) {
      const bytes = data?.length ?? 0
      for (const prefix of prefixesOf(path, depth)) add(found, prefix, { bytes, ephemeral: stat.ephemeral })
    }
    const { znodes = 0, bytes = 0 } = found.get('/') ?? {}
    on?.({ kind: 'progress', znodes, bytes })
  }
  const { path: _, ...all } = found.get('/') ?? empty('/')
  const prefixes = [...found.values()]
    .sort((a, b) => b.bytes - a.bytes || b.znodes - a.znodes || (a.path < b.path ? -1 : 1))
    .slice(0, top)
    .map(each => ({ ...each, path: joinPath(root, each.path) }))
  const elapsedMs = Math.round(performance.now() - startedAt)
  return { from: ensemble.name, depth, ...all, paths: found.size, prefixes, vanished, elapsedMs }
}

/** `/a/b/c` at depth 2 gives `/`, `/a`, `/a/b`. */
const prefixesOf = (path: string, depth: number): string[] => {
  const prefixes = ['/']
  if (path === '/') return prefixes
  let at = 0
  for (let level = 1; level <= depth && at < path.length; level++) {
    const slash = path.indexOf('/', at + 1)
    at = slash < 0 ? path.length : slash
    prefixes.push(path.slice(0, at))
  }
  return prefixes
}

const empty = (path: string): Usage => ({ path, znodes: 0, bytes: 0, ephemerals: 0, largest: 0 })
const add = (
  found: Map<string, Usage>,
  path: string,
  { bytes, ephemeral }: { bytes: number; ephemeral: boolean },
): void => {
  const sum = found.get(path) ?? empty(path)
  sum.znodes++
  sum.bytes += bytes
  sum.largest = Math.max(sum.largest, bytes)
  if (ephemeral) sum.ephemerals++
  found.set(path, sum)
}

/** The table for people, largest first. */
export const duText = ({ prefixes, paths, znodes, bytes, elapsedMs, from }: DuReport): string => {
  const rows = prefixes.map(each => [
    formatBytes(each.bytes),
    `${formatCount(each.znodes)} znodes`,
    each.ephemerals > 0 ? `${formatCount(each.ephemerals)} ephemeral` : '',
    each.path,
  ])
  const widths = [0, 1, 2].map(column => Math.max(0, ...rows.map(row => row[column]?.length ?? 0)))
  const lines = rows.map(row =>
    row
      .map((cell, column) => cell.padStart(widths[column] ?? 0))
      .filter((_, column) => column === 3 || widths[column])
      .join('  '),
  )
  const more =
    paths > prefixes.length ? [`... and ${formatCount(paths - prefixes.length)} more paths (--top)`] : []
  const total = `${from}: ${formatCount(znodes)} znodes, ${formatBytes(bytes)} of data, read in ${formatDuration(elapsedMs)}`
  return [...lines, ...more, total].join('\n')
}
