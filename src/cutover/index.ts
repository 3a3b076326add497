export {
  type BarrierEvent,
  type BarrierReport,
  barrier,
  barrierProgress,
  barrierShape,
  barrierText,
} from './barrier/index.ts'
export { type CheckedReport, checkCertificate, checkShape, checkText } from './certificate/index.ts'
export type { Certified } from './certify.ts'
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
export { DRIVERS, type DriverName } from './fence-port.ts'
export { driverNamed, PRODUCER_ERRORS } from './fences/index.ts'
export { fenceOptions } from './from-flags.ts'
export type { CutoverPlan } from './plan.ts'
export { ACCEPTABLE } from './preflight.ts'
export { type Rehearsal, rehearsalReport, rehearsalsIn, rehearsalsOf } from './rehearsals.ts'
export type { CutoverReport } from './report.ts'
export { newId } from './run-directory.ts'
export { cutoverPlanShape, cutoverReportShape, rollbackShape, statusShape, verbShape } from './shapes.ts'
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
  verbText,
} from './text.ts'
export { abortRun, completeRun, nameOf, setGate, type VerbReport } from './verbs.ts'
export { type Watched, watchdog } from './watchdog.ts'
