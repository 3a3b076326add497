import type { DriverName, FenceDriver } from '../fence-port.ts'
import { aclDeny } from './acl-deny.ts'
import { minIsr } from './min-isr.ts'
import type { FenceOptions } from './options.ts'

export { PRODUCER_ERRORS } from './acl-deny.ts'
export type { FenceOptions } from './options.ts'
export { driverNamed } from './refused.ts'

/** The drivers that need nothing but the cluster; `manual` and `hook` stand beside the machine. */
export const fenceDriver = (
  name: Exclude<DriverName, 'manual' | 'hook'>,
  options: FenceOptions,
): FenceDriver => {
  switch (name) {
    case 'acl-deny':
      return aclDeny(options)
    case 'min-isr':
      return minIsr(options)
    default:
      return name satisfies never
  }
}
