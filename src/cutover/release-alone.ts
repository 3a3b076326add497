import { Cluster } from '../kafka/index.ts'
import type { During } from '../kit/index.ts'
import { readDocument } from './document.ts'
import type { FencePlan } from './fence-port.ts'
import { driverFor } from './fences.ts'
import { hookPort } from './hooks.ts'
import { type OpenRunOptions, sideOf } from './open-run.ts'
import type { RunRecord } from './run-directory.ts'
import { HOOK_TIMEOUT_MS, hookVars } from './run-hooks.ts'

/**
 * Releases fences of a run with as little as that takes: a program of the operator needs no cluster, ACLs and settings
 * need the one that they were made on. Nothing is journaled.
 */
export const releaseAlone = async (
  plans: readonly FencePlan[],
  { id, directory, header }: RunRecord,
  options: OpenRunOptions & During,
): Promise<void> => {
  const { hooks: own, hookTimeoutMs = HOOK_TIMEOUT_MS, env = {}, access, signal } = options
  const document = readDocument(directory)
  const hooks = hookPort({
    ...{ env, signal },
    directory: own ?? document?.hooksDirectory ?? undefined,
    timeoutMs: hookTimeoutMs,
    vars: hookVars({ run: id, subject: header }, directory),
    ran: async () => {},
  })
  for (const plan of plans) {
    const { driver, side, topics } = plan
    const how = { side, topics, hooks, accepted: document?.accepted ?? [], as: 'seal' as const, signal }
    if (driver === 'manual') continue
    if (driver === 'hook') {
      await driverFor(driver, { ...how, cluster: undefined }).release(plan)
      continue
    }
    await using cluster = await Cluster.open({
      ...sideOf(side === 'old' ? header.from : header.to, access),
      signal,
    })
    await driverFor(driver, { ...how, cluster }).release(plan)
  }
}
