import type { Cluster } from '../kafka/index.ts'
import { bug, type During } from '../kit/index.ts'
import { hookDriver } from './driver-hook.ts'
import { manualDriver } from './driver-manual.ts'
import type { EngagedName, FenceDriver } from './fence-port.ts'
import { fenceDriver } from './fences/index.ts'
import { rightsDriver } from './fences/rights.ts'
import type { HookPort } from './ports.ts'

export type DriverOptions = During & {
  side: 'old' | 'new'
  /** The cluster of that side; `manual` and `hook` need none. */
  cluster: Cluster | undefined
  topics: readonly string[]
  /** Risks that the operator accepts, by id. */
  accepted: readonly string[]
  hooks: HookPort
  as?: 'fence' | 'seal' | undefined
}

/** A driver by its name. */
export const driverFor = (name: EngagedName, options: DriverOptions): FenceDriver => {
  const { side, topics, hooks, cluster } = options
  if (name === 'manual') return manualDriver(side, topics)
  if (name === 'hook') return hookDriver(side, topics, hooks)
  if (!cluster) throw bug(`a fence by ${name} without its cluster`)
  if (name === 'rights') return rightsDriver({ ...options, cluster })
  return fenceDriver(name, { ...options, cluster })
}
