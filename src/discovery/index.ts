export { addressesOf, type NamedCluster } from './addresses.ts'
export { type Directory, type ReadOptions, readDirectory } from './directory.ts'
export type { ByteEdit } from './edit.ts'
export { type EditKind, editKindOf } from './edit-kind.ts'
export type { FileChange, PlannedEdit } from './file-plan.ts'
export { type Finding, findingText, type Rule, refusal } from './findings.ts'
export { type Committed, commitWrite, gitProblems, planSha, refuseGit } from './git.ts'
export { type LintOptions, type LintReport, lintDirectory } from './lint-report.ts'
export { type LocateOptions, locateCluster } from './locate.ts'
export type { ClusterAddresses, Mention } from './match.ts'
export type { FieldChange } from './model.ts'
export type { DiscoveryFile, Entry } from './parse.ts'
export { type Plan, type PlannedEntry, type PlanOptions, planEdits } from './plan.ts'
export { storedPath } from './record.ts'
export { revert } from './revert.ts'
export {
  asFinding,
  executeSet,
  planSet,
  type RevertReport,
  revertSet,
  type SetOptions,
  type SetReport,
} from './set.ts'
export { lintShape, revertShape, setShape, showShape } from './shapes.ts'
export { type ShowOptions, type ShowReport, showDiscovery } from './show.ts'
export { apply, type DiscoveryStore, yamlDirectory } from './store.ts'
export { lintData, lintText, revertText, setText, showData, showText } from './text.ts'
export { type Recovered, recover, type WriteEvent, type WriteOptions, type Written } from './transaction.ts'
