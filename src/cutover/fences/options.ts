import type { Cluster } from '../../kafka/index.ts'
import type { During } from '../../kit/index.ts'
import type { HookPort } from '../ports.ts'

export type FenceOptions = During & {
  /** Whose writers are kept off. */
  side: 'old' | 'new'
  cluster: Cluster
  topics: readonly string[]
  /** Consents by id: `producer-errors`. */
  accepted: readonly string[]
  /** `seal`: it stands after the switch, so that errors of whoever still writes there are wanted. Default fence. */
  as?: 'fence' | 'seal' | undefined
  hooks?: HookPort | undefined
  /** Writers to deny, as 'User:app'; default everybody, who may then not include kmig's own user. */
  principals?: readonly string[] | undefined
  /** kmig's own user on this cluster, as 'User:kmig', where it is known: it is never denied. */
  mirrorPrincipal?: string | undefined
}

/** What keeps on every broker, or is gone from it, is looked for so long. */
export const SPREAD_MS = 10_000
