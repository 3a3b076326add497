export { Cutover, type CutoverOptions, type CutoverSide } from './cutover.ts'
export {
  blocking,
  CHECKS,
  type DoctorReport,
  doctor,
  doctorShape,
  doctorText,
} from './doctor/index.ts'
export type { CutoverEvent } from './events.ts'
export { driverNamed } from './fences/index.ts'
export type { CutoverPlan } from './plan.ts'
export type { CutoverReport } from './report.ts'
export { cutoverPlanShape, cutoverReportShape, rollbackShape, statusShape } from './shapes.ts'
export type { State, StateName } from './states.ts'
export { cutoverStatus, type StatusReport } from './status.ts'
export { type RollbackReport, type TakeBackOptions, takeBack } from './take-back.ts'
export {
  cutoverEventText,
  cutoverPlanText,
  cutoverProgressOf,
  cutoverReportText,
  rollbackText,
  statusText,
} from './text.ts'
