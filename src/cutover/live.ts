import { join } from 'node:path'
import { yamlDirectory } from '../discovery/index.ts'
import { sleep, writeFileAtomic } from '../kit/index.ts'
import { decidedOn, decideOn } from './decision.ts'
import { orManual } from './driver-manual.ts'
import type { DriverName, EngagedName, FenceDriver } from './fence-port.ts'
import { rightsPort } from './fences/rights.ts'
import { driverFor } from './fences.ts'
import { logEnds } from './log-ends.ts'
import { type MirrorPortOptions, mirrorPort } from './mirror-port.ts'
import type { ClockPort, GatePort, HookPort, Ports } from './ports.ts'
import { proofOf } from './proof/index.ts'
import { keepSeen } from './seen-next.ts'

export type LiveOptions = MirrorPortOptions & {
  run: { id: string; directory: string }
  discovery: string
  hooks: HookPort
  gate: GatePort
  driver: DriverName
  seal?: DriverName | undefined
  /** Whether ACLs are copied, those that let clients write at the switch. */
  rights?: boolean | undefined
  /** Risks that the operator accepts, by id. */
  accepted: readonly string[]
  drift: Ports['drift']
  driftAfter?: Ports['driftAfter']
  unfit?: Ports['unfit']
  watch?: Ports['watch']
  reverse?: Ports['reverse']
  check?: Ports['check']
  readers?: Ports['readers']
  beside?: Ports['beside']
  letIn?: Ports['letIn']
}

/** Real clusters and real files as a cutover's world. */
export const livePorts = (options: LiveOptions): Ports => {
  const {
    mirror,
    run,
    signal,
    life,
    wheres,
    hooks,
    gate,
    drift,
    driftAfter,
    unfit,
    watch,
    accepted,
    reverse,
    check,
    readers,
    beside,
    letIn,
  } = options
  const ends = {
    old: () => logEnds(mirror.source, wheres(), { signal: life }),
    next: () => logEnds(mirror.target, wheres(), { signal: life }),
  }
  const clock = liveClock(signal)
  const topics = () => [...new Set(wheres().map(({ topic }) => topic))]
  const driver = (name: EngagedName, side: 'old' | 'new', as?: 'fence' | 'seal'): FenceDriver => {
    const cluster = side === 'old' ? mirror.source : mirror.target
    return driverFor(name, { side, cluster, hooks, topics: topics(), accepted, as, signal: life })
  }
  return {
    mirror: mirrorPort(options),
    ends,
    discovery: yamlDirectory(options.discovery, { journalDir: run.directory }),
    clock,
    ...{ hooks, gate, drift, driftAfter, unfit, watch, reverse, check, readers, beside, letIn },
    record: {
      keep: (name, value) => writeFileAtomic(join(run.directory, name), `${json(value)}\n`),
      saw: (seen, atMs) => keepSeen(run.directory, seen, atMs),
      decide: async (what, fence) => decideOn(run.directory, fence, what),
      decided: async fence => decidedOn(run.directory, fence),
    },
    fences: {
      old: driver(options.driver, 'old'),
      next: orManual(driver(options.driver, 'new'), driver('manual', 'new')),
      seal: options.seal && driver(options.seal, 'old', 'seal'),
      // one that was engaged may be taken back, whatever it was for
      of: plan => driver(plan.driver, plan.side, plan.driver === options.driver ? 'fence' : 'seal'),
    },
    rights: options.rights
      ? rightsPort({ old: mirror.source, next: mirror.target, topics, signal: life })
      : undefined,
    proof: {
      old: proofOf({ cluster: mirror.source, wheres, clock, groups: options.groups, signal: life }),
      next: proofOf({ cluster: mirror.target, wheres, clock, groups: options.groups, signal: life }),
    },
  }
}

const json = (value: unknown): string =>
  JSON.stringify(value, (_, v: unknown) => (typeof v === 'bigint' ? String(v) : v))

export const liveClock = (signal: AbortSignal): ClockPort => ({
  wall: () => Date.now(),
  now: () => performance.now(),
  sleep: ms => sleep(ms, signal),
})
