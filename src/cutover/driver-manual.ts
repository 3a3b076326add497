import type { FenceDriver } from './fence-port.ts'

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
