import type { FenceDriver } from './fence-port.ts'

/** Where a driver can't be used on that cluster, the operator stops the writers; the plan says which of both it is. */
export const orManual = (driver: FenceDriver, manual: FenceDriver): FenceDriver => ({
  ...driver,
  plan: async () => {
    const usable = (await driver.probe()).every(({ severity }) => severity !== 'error')
    return await (usable ? driver : manual).plan()
  },
})

/** Nothing is done: the operator stops the writers, and the proof alone tells whether they did. */
export const manualDriver = (side: 'old' | 'new', topics: readonly string[]): FenceDriver => ({
  name: 'manual',
  releases: false,
  seals: false,
  probe: async () => [],
  plan: async () => ({
    driver: 'manual',
    side,
    topics,
    actions: [{ effect: 'you stop the writers', inverse: 'you start them again' }],
    prior: null,
  }),
  engage: async () => ({ evidence: ['the operator stops the writers'] }),
  release: async () => {},
})
