import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'

// Tests wait for servers more than they compute: two files at a time also on two cores, where vitest would take one.
const maxWorkers = Math.max(2, Math.min(4, availableParallelism()))

// Three suites: unit (no server), acceptance (real servers), faults (long, run apart, one file at a time).
export default defineConfig({
  test: {
    maxWorkers,
    projects: [
      {
        test: {
          name: 'unit',
          maxWorkers,
          include: ['test/**/*.test.ts'],
          exclude: ['test/acceptance/**', 'test/faults/**'],
          testTimeout: 30_000, // some start processes of their own, on machines that do other work too
        },
      },
      {
        test: {
          name: 'acceptance',
          include: ['test/acceptance/**/*.test.ts'],
          maxWorkers,
          testTimeout: 120_000,
          hookTimeout: 180_000,
        },
      },
      {
        test: {
          name: 'faults',
          include: ['test/faults/**/*.test.ts'],
          fileParallelism: false,
          testTimeout: 600_000,
          hookTimeout: 180_000,
        },
      },
    ],
  },
})
