import type { CheckReport } from './check-port.ts'
import type { FenceProof } from './fence-port.ts'
import type { PlanDocument } from './plan-document.ts'
import type { HookRun } from './ports.ts'
import type { Stranded } from './reverse-port.ts'
import type { RunHeader, StateLine } from './run-directory.ts'
import type { Attempt, Cut } from './states.ts'

/** One partition of a group, as it was set. */
export type MovedOffset = {
  group: string
  topic: string
  partition: number
  from: string
  to: string
  /** Records that the group reads again; '0' unless a rollback over a mixed zone. */
  reread: string
  /** When, if it was before the fence; such a group was not touched since. */
  movedFirst?: string | undefined
}

/**
 * All that a run knows of itself when its certificate is made: at SWITCHED first, again at each later state. The
 * certificate adds what it looks up itself (ends now, versions, map hashes). Source: CUTOVER.md 9.
 */
export type CertificateInput = {
  toolVersion: string
  header: RunHeader
  /** Where the certificate is written: `certificate.json`, `certificate.html`. */
  directory: string
  plan: PlanDocument
  states: readonly StateLine[]
  cut: Cut
  fence: FenceProof
  /** When the fence was engaged first, and when writers could go on; ms since 1970. */
  pause: { fromMs: number; toMs: number | undefined }
  /** Fences that were let go before, with nothing moved. */
  attempts: readonly Attempt[]
  base: CheckReport | undefined
  delta: CheckReport | undefined
  offsets: readonly MovedOffset[]
  groupsLeft: readonly { group: string; why: string }[]
  leftBehind: { topics: readonly string[]; groups: readonly { group: string; why: string }[] }
  files: readonly { path: string; shaBefore: string; shaAfter: string; fields: readonly unknown[] }[]
  commit: { commit: string; branch: string } | undefined
  hooks: readonly HookRun[]
  stranded: readonly Stranded[]
  /** Drift that was seen after the switch, in words. */
  drift: readonly string[]
  consents: readonly string[]
  reverse: { producerId: string; stateTopic: string; lag: string | undefined } | undefined
  /** Whether, and by what, the run can be taken back now. */
  rollbackClass: 'FREE' | 'REVERSE' | 'NONE'
  /** Head of the journal's hash chain up to the last state. */
  journalSha256: string
}
