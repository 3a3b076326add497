import { bug } from '../kit/index.ts'
import type { ExecuteOptions } from './execute.ts'
import {
  groupsLeft,
  readersDone,
  refuseDifferent,
  refuseDrift,
  refuseForeign,
  refuseGrowth,
  refuseUnfit,
} from './guards.ts'
import type { Ports } from './ports.ts'
import { moveNext, readersOf, refuseReadTwice } from './readers.ts'
import { type Begun, cutOf, endsOf, groupsMoved, type In, type Proved, type State } from './states.ts'
import { proofWindow } from './still.ts'
import { lastLook, openNew, seal, switchFiles } from './switch.ts'

/** One move of the machine: does what leads to the next state, which is returned. Each can be done again. */
export const step = async (now: State, options: ExecuteOptions): Promise<State> => {
  const { ports } = options
  switch (now.at) {
    case 'planned':
      await refuseDrift(ports, now)
      await refuseUnfit(ports, now)
      await ports.mirror.start()
      return { ...now, at: 'mirroring', ...(await rightsOf(now, ports)) }
    case 'mirroring':
      if (now.rights) await ports.fences.of(now.rights).engage(now.rights)
      await ports.mirror.caughtUp()
      return { ...now, at: 'caught-up' }
    case 'caught-up':
      if (!ports.check) return await beforeFence(now, options)
      await refuseDifferent(ports, 'base', await ports.check.base())
      return { ...now, at: 'verified' }
    case 'verified':
      return await beforeFence(now, options)
    case 'reads-moving':
      return await moveNext(now, options)
    case 'reads-moved':
      await ports.mirror.caughtUp() // that may have taken hours
      return await armed(now, options)
    case 'armed': {
      await ports.reverse?.prepare()
      if (now.fence) return { ...now, at: 'fencing', fence: now.fence }
      await ports.hooks.run('pre-fence', { state: now.at, side: 'old' })
      const fence = await ports.fences.old.plan()
      // whoever closed it meanwhile is kept to: behind the fence nobody may wait
      if ((await ports.gate.closed()) !== undefined)
        return { ...now, at: ports.check ? 'verified' : 'caught-up' }
      return { ...now, at: 'fencing', fence: { plan: fence, sinceMs: ports.clock.wall() } }
    }
    case 'backing-off':
      await ports.mirror.start()
      while (ports.clock.wall() < now.untilMs) {
        options.signal.throwIfAborted()
        await ports.clock.sleep(Math.min(GATE_MS, now.untilMs - ports.clock.wall()))
      }
      return {
        ...{ at: 'mirroring', plan: now.plan, tried: now.tried, readers: now.readers },
        ...(await rightsOf(now, ports)),
      }
    case 'fencing':
      await ports.watch?.(now.fence)
      return { ...now, at: 'fenced', engaged: await ports.fences.of(now.fence.plan).engage(now.fence.plan) }
    case 'fenced': {
      const { ends, proof } = await ports.proof.old.prove({
        windowMs: proofWindow(options.stillForMs, now.engaged),
        driver: now.fence.plan.driver,
        engaged: now.engaged,
      })
      return { ...now, at: 'still', cut: cutOf(ends), proof }
    }
    case 'still': {
      await ports.mirror.reached(endsOf(now.cut))
      await ports.mirror.stop()
      const next = ports.mirror.copied()
      await refuseForeign(ports, next)
      return { ...now, at: 'drained', next: cutOf(next) }
    }
    case 'drained':
      await refuseReadTwice(now, ports)
      await readersDone(now.cut, options)
      return { ...now, at: 'offsets-set', groups: await moveGroups(options) }
    case 'offsets-set':
      if (ports.check) await refuseDifferent(ports, 'delta', await ports.check.delta(now.cut))
      await refuseGrowth(ports, now.cut)
      await refuseForeign(ports, endsOf(now.next))
      return { ...now, at: 'checked', groups: await sameGroups(now, options) }
    case 'checked':
      return { ...now, at: 'sealing', seal: await ports.fences.seal?.plan() }
    case 'sealing':
      return await seal(now, options)
    case 'switching':
      return await switchFiles(now, options)
    case 'files-written':
      return await lastLook(now, ports)
    case 'opening':
      return await openNew(now, ports)
    case 'switched':
    case 'target-live':
    case 'soaking':
    case 'completing':
    case 'complete':
    case 'aborting':
    case 'aborted':
    case 'back-fencing':
    case 'back-still':
    case 'back-offsets':
    case 'back-switching':
    case 'back-lossy':
    case 'rolled-back':
      throw bug(`a cutover that is ${now.at} has no next step`)
    default:
      return now satisfies never
  }
}

/** Readers that go first, then the gate. */
const beforeFence = async (now: Begun, options: ExecuteOptions): Promise<State> => {
  const readers = await readersOf(now, options.ports)
  return readers ? { ...now, at: 'reads-moving', readers } : await armed(now, options)
}

/** What the new cluster lacks of ACLs, beside what this run has made already. */
const rightsOf = async (now: Begun | In<'backing-off'>, { rights }: Pick<Ports, 'rights'>) => {
  const fence = 'fence' in now ? now.fence?.plan : undefined
  return rights ? { rights: await rights.plan({ before: now.rights, fence }) } : {}
}

const GATE_MS = 500

/** Waits at the gate. What was copied, and what the plan found, may be old when it opens. */
const armed = async (now: Begun, { ports, signal, on }: ExecuteOptions): Promise<State> => {
  let told: string | undefined
  for (let held = false; ; held = true) {
    signal.throwIfAborted()
    const why = now.fence ? undefined : await ports.gate.closed() // nobody waits behind an engaged fence
    if (why === undefined) {
      if (held) await ports.mirror.caughtUp()
      await refuseReadTwice(now, ports)
      await refuseDrift(ports, now)
      await refuseUnfit(ports, now)
      return { ...now, at: 'armed' }
    }
    if (why !== told) on?.({ kind: 'gate', why })
    told = why
    await ports.clock.sleep(GATE_MS)
  }
}

/** Sets all group offsets; what can't be moved forbids the switch. Rows are kept for the certificate. */
const moveGroups = async ({ ports }: ExecuteOptions): Promise<Proved['groups']> => {
  const report = await ports.mirror.syncGroups()
  const groups = groupsMoved(report)
  if (groups.left.length > 0) throw groupsLeft(groups.left)
  await ports.record.keep('offsets.json', report.rows)
  return groups
}

/** Groups once more, right before the switch: what was committed since then moves too. */
const sameGroups = async (now: Proved, options: ExecuteOptions): Promise<Proved['groups']> => {
  const groups = await moveGroups(options)
  return groups.partitions > 0 ? groups : now.groups
}
