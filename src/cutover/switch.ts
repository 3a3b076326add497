import { overBudget } from './budget.ts'
import type { ExecuteOptions } from './execute.ts'
import { refuseForeign, refuseGrowth } from './guards.ts'
import type { Ports } from './ports.ts'
import { type Committed, endsOf, type Proved, pointsOf, type State, type Switched } from './states.ts'
import { grown, grownText, leosOf, stillWritten } from './still.ts'

/**
 * The last that can be taken back without a trace: the old cluster is sealed, the copy back armed at the cut, both looked
 * at once more. The switch is decided here, against a watchdog that may think this process dead.
 */
export const seal = async (now: Proved, { ports, budget }: ExecuteOptions): Promise<State> => {
  if (now.seal) await ports.fences.of(now.seal).engage(now.seal)
  const reverse = await ports.reverse?.arm(pointsOf(now))
  await refuseGrowth(ports, now.cut)
  await refuseForeign(ports, endsOf(now.next))
  await ports.beside?.remember()
  await ports.hooks.run('pre-switch', { state: 'sealing', side: 'new' })
  if (!(await ports.record.decide('switch', now.fence)))
    throw overBudget('sealing', budget(now.fence), ports.clock.wall())
  return { ...now, at: 'switching', reverse }
}

export const switchFiles = async (now: Committed, { ports, run }: ExecuteOptions): Promise<State> => {
  await ports.mirror.mark(run.id)
  await ports.discovery.commit(now.plan)
  return { ...now, at: 'files-written' }
}

/**
 * The files are written. If a straggler wrote to the old cluster meanwhile and nobody to the new one, the way back is
 * still free, and taken. If both were written to, there is none: the stranded records are named.
 */
export const lastLook = async (now: Committed, ports: Ports): Promise<State> => {
  const late = grown(endsOf(now.cut), leosOf(await ports.ends.old()))
  const open = { ...now, at: 'opening' as const, ...(await liftedOf(now, ports)) }
  if (late.length === 0) return { ...open, stranded: [] }
  const moved = grown(endsOf(now.next), leosOf(await ports.ends.next()))
  const text = late.map(({ where, from, to }) => `${where}: ${from}-${to - 1n}`)
  if (moved.length > 0) return { ...open, stranded: text }
  throw stillWritten(`somebody wrote to the old cluster while the files were written: ${grownText(late)}`)
}

/** The write hold ends, which is journaled before it does. */
const liftedOf = async ({ rights }: Committed, ports: Ports) =>
  rights && ports.rights ? { rights: await ports.rights.lifted(rights) } : {}

/** Clients may come now, and are told to. */
export const openNew = async (now: Switched, ports: Ports): Promise<State> => {
  if (now.rights) await ports.fences.of(now.rights).engage(now.rights)
  await ports.letIn?.()
  await ports.mirror.open()
  await ports.hooks.run('reload-clients', { state: 'opening', side: 'new' })
  const fence = ports.fences.of(now.fence.plan)
  // what can't stay as a seal would keep the copy back off too; writers that were not moved by now are found by the watch
  if (fence.releases && !fence.seals) await fence.release(now.fence.plan)
  await ports.hooks.run('post-switch', { state: 'opening', side: 'new' })
  return { ...now, at: 'switched' }
}
