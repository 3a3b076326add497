export { type DemoEvent, type DemoOptions, type DemoReport, demo } from './demo.ts'
export { demoShape, demoText, isGood } from './report.ts'
export { sandboxOptions } from './world.ts'
