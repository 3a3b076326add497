export { type BarrierEvent, type BarrierOptions, type BarrierReport, barrier } from './barrier.ts'
export { barrierProgress, barrierShape, barrierText } from './view.ts'
