import { readDirectory } from './directory.ts'
import { type Plan, type PlanOptions, planEdits } from './plan.ts'
import { revert } from './revert.ts'
import { type Recovered, recover, type WriteOptions, type Written, writeAll } from './transaction.ts'

/** Writes a plan. Files that are as planned already are left alone; DISCOVERY_CONFLICT when one is neither old nor new. */
export const apply = async (plan: Pick<Plan, 'root' | 'files'>, options: WriteOptions): Promise<Written> =>
  await writeAll('apply', plan.root, plan.files, options)

/** Where discovery entries live: read, plan, commit by compare-and-swap, revert. A directory of YAML files is the first. */
export type DiscoveryStore = {
  plan(options: PlanOptions): Promise<Plan>
  commit(plan: Pick<Plan, 'root' | 'files'>): Promise<Written>
  /** Finishes or takes back what a crash left; `commit` and `revert` do it first by themselves. */
  recover(): Promise<Recovered>
  revert(): Promise<Written>
}

/** A tree of discovery files; journal and original bytes in `journalDir`. */
export const yamlDirectory = (directory: string, options: WriteOptions): DiscoveryStore => ({
  plan: async plan => await planEdits(await readDirectory(directory, plan), plan),
  commit: async plan => await apply(plan, options),
  recover: async () => await recover(options.journalDir),
  revert: async () => await revert(options),
})
