import { statSync } from 'node:fs'
import { KmigError } from '../kit/index.ts'

const OTHERS = 0o077

/** Throws CONFIG_INVALID if others than its owner can open a file. `what` it holds that they should not see. */
export const refuseOpen = (file: string, what: string): void => {
  if (process.platform === 'win32') return
  const mode = statSync(file, { throwIfNoEntry: false })?.mode ?? 0
  if ((mode & OTHERS) === 0) return
  const shown = (mode & 0o777).toString(8).padStart(4, '0')
  throw new KmigError('CONFIG_INVALID', `${file} holds ${what} and is open to others (mode ${shown})`, {
    try: [`chmod 600 ${file}`],
  })
}
