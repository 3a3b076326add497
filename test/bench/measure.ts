import { spawn } from 'node:child_process'
import { existsSync, readFileSync, statfsSync } from 'node:fs'
import { tmpdir } from 'node:os'

/** What a whole process took. Linux only: from /proc, looked at every 20 ms and so up to that much short. */
export type Taken = { wallMs: number; cpuMs: number; rssBytes: number; stdout: string; code: number | null }

const MEMORY = '/dev/shm'
const NEEDED_BYTES = 8 * 1024 ** 3

/** A directory in memory where there is one with room, so that no disk is measured; else a temporary one. */
export const memoryDirectory = (): string => {
  if (!existsSync(MEMORY)) return tmpdir()
  const { bavail, bsize } = statfsSync(MEMORY)
  return bavail * bsize > NEEDED_BYTES ? MEMORY : tmpdir()
}

const TICK_MS = 10 // clock ticks of /proc are 1/100 s

const look = (pid: number): { cpuMs: number; rssBytes: number } | undefined => {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    const cpuMs = (Number(fields[11]) + Number(fields[12])) * TICK_MS
    const peak = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))
    return { cpuMs, rssBytes: Number(peak?.[1] ?? 0) * 1024 }
  } catch {
    return undefined
  }
}

/** What a process has taken so far. */
export const cpuOf = (pid: number): { cpuMs: number; rssBytes: number } =>
  look(pid) ?? { cpuMs: 0, rssBytes: 0 }

export const run = async (args: readonly string[], { quiet = true } = {}): Promise<Taken> => {
  const start = performance.now()
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', quiet ? 'ignore' : 'inherit'] })
  let seen = { cpuMs: 0, rssBytes: 0 }
  let stdout = ''
  child.stdout.on('data', data => {
    stdout += data
  })
  const timer = setInterval(() => {
    const now = look(child.pid ?? 0)
    if (now && now.cpuMs >= seen.cpuMs) seen = { ...now, rssBytes: Math.max(now.rssBytes, seen.rssBytes) }
  }, 20)
  const code = await new Promise<number | null>(resolve => child.once('close', resolve))
  clearInterval(timer)
  return { wallMs: performance.now() - start, ...seen, stdout, code }
}

export const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0

/** Columns as wide as their widest cell. */
export const table = (rows: readonly (readonly string[])[]): string => {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map(row => (row[column] ?? '').length)))
  return rows
    .map(row =>
      row
        .map((cell, column) =>
          column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
        )
        .join('  '),
    )
    .join('\n')
}
