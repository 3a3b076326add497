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
