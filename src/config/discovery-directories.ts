import { homedir } from 'node:os'
import { join } from 'node:path'
import type { Env } from './directories.ts'

/** A directory that readers of discovery files look into, and why. */
export type LookupDirectory = { path: string; why: string }

/** Where readers look, in their order: `$KAFKA_DISCOVERY_DIR`, `$HOME/.kafka_discovery`, `/etc/kafka_discovery`. */
export const discoveryDirectories = (env: Env): LookupDirectory[] => [
  ...(env['KAFKA_DISCOVERY_DIR'] ? [{ path: env['KAFKA_DISCOVERY_DIR'], why: '$KAFKA_DISCOVERY_DIR' }] : []),
  { path: join(env['HOME'] || homedir(), '.kafka_discovery'), why: '$HOME/.kafka_discovery' },
  { path: '/etc/kafka_discovery', why: '/etc/kafka_discovery' },
]
