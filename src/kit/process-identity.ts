import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

/**
 * When a process started, in whatever unit the system keeps; undefined if there is no such process (a zombie is none).
 * A pid alone is no identity: the kernel gives it out again.
 */
export const startOf = (pid: number): string | undefined => {
  try {
    if (process.platform !== 'linux') {
      return (
        execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim() || undefined
      )
    }
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ') // the name in brackets may hold spaces
    return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19] // field 22, starttime in clock ticks
  } catch {
    return undefined
  }
}
