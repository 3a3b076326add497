export { Copies, type Copy } from './copies.ts'
export type { MirrorEvent, MirrorProgress } from './events.ts'
export type { OffsetsPolicy } from './filling.ts'
export { Mirror } from './mirror.ts'
export {
  type GroupOffsetsReport,
  groupOffsetsOf,
  type TranslateReport,
  translateOffsets,
} from './offsets.ts'
export { groupOffsetsText, translateData, translateText } from './offsets-text.ts'
export { CHOICES, type MirrorOptions } from './options.ts'
export { type MirrorPlan, type PartitionPlan, type TopicPlan, topicChooser } from './plan.ts'
export {
  moveReaders,
  type ReadersMoved,
  type ReadersSight,
  readersBack,
  readersOn,
} from './readers.ts'
export { exitOf, type MirrorReport, type PartitionReport } from './report.ts'
export { ReverseMirror } from './reverse.ts'
export type {
  Armed,
  Cut,
  CutPoint,
  CutPoints,
  Drained,
  DrainPoint,
  ReverseLag,
  ReverseOptions,
  ReverseProblem,
  Stranded,
} from './reverse-shape.ts'
export { backOf } from './reverse-state.ts'
export { takenBack } from './reverse-taken.ts'
export { runMirror } from './run.ts'
export { groupOffsetsShape, planShape, reportShape, translateShape } from './shapes.ts'
export { type CutoverState, MirrorState, type MovedReaders, producerIdsOf } from './state.ts'
export { eventText, planText, progressOf, reportText } from './text.ts'
