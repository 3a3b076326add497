import type { Addresses } from './addresses.ts'
import type { SandboxCluster } from './cluster.ts'
import type { FullSpec } from './spec.ts'

/** A cluster that has its place: addresses, and a directory for all its state. */
export type Plan = {
  spec: FullSpec
  addresses: Addresses
  /** Exists and is empty. */
  directory: string
}

/** A way to run servers. */
export interface Provider {
  readonly name: 'jvm'
  /** Throws NO_PROVIDER, naming what to install, if servers can't be run here. Fetches nothing. */
  check(spec: FullSpec, signal: AbortSignal): Promise<void>
  /** Resolves when every server answers. What was started is ended again when it throws. */
  start(plan: Plan, signal: AbortSignal): Promise<SandboxCluster>
}
