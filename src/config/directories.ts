import { homedir } from 'node:os'
import { join, resolve } from 'node:path'

/** The process's environment, handed in: it is read in cli and config alone. */
export type Env = Readonly<Record<string, string | undefined>>

/** An empty value is none, as XDG has it. */
const base = (env: Env, name: string, ...fallback: string[]): string =>
  join(env[name] || join(env['HOME'] || homedir(), ...fallback), 'kmig')

/** Locks, journals and saved files: `--state-dir`, KMIG_STATE_DIR, `$XDG_STATE_HOME/kmig`, `~/.local/state/kmig`. */
export const stateDirectory = ({ flag, env }: { flag?: string | undefined; env: Env }): string =>
  resolve(flag || env['KMIG_STATE_DIR'] || base(env, 'XDG_STATE_HOME', '.local', 'state'))

/** What can be fetched again: `$XDG_CACHE_HOME/kmig`, `~/.cache/kmig`. */
export const cacheDirectory = (env: Env): string => resolve(base(env, 'XDG_CACHE_HOME', '.cache'))

/** Where the user's own kmig.yaml is: `$XDG_CONFIG_HOME/kmig`, `~/.config/kmig`. */
export const configDirectory = (env: Env): string => resolve(base(env, 'XDG_CONFIG_HOME', '.config'))
