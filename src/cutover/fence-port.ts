import type { Ends } from './ports.ts'

/** What JSON can hold: it is journaled as it is, and read by a later process. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json }

/** How writers are kept off a cluster. `manual`: the operator stops them, and only the proof tells. */
export const DRIVERS = ['manual', 'hook', 'acl-deny', 'min-isr'] as const
export type DriverName = (typeof DRIVERS)[number]
/** What a run engages by itself besides: the ACLs that it copies. */
export type EngagedName = DriverName | 'rights'

/**
 * What a driver is about to do, with what it needs to take it back. Journaled before `engage`, so that any later process
 * (the same command after a crash, the watchdog, a rollback) can release with nothing else.
 */
export type FencePlan = {
  driver: EngagedName
  /** Which cluster is fenced: the old one, or on the way back the new one. */
  side: 'old' | 'new'
  topics: readonly string[]
  /** Each effect with its inverse, in words, for plan, status and certificate. */
  actions: readonly { effect: string; inverse: string }[]
  /** The driver's own: prior values, ACLs that it makes, ... */
  prior: Json
}

/** What a driver has seen once it is engaged. */
export type Engaged = {
  /** In words: what it did, what answered. */
  evidence: readonly string[]
  /**
   * Only of a driver that proves itself: how many writers it still counts. 0 allows a window of 1 s; undefined means
   * that it can't know. A hook says so on stdout: `writers-left=0`.
   */
  writersLeft?: number | undefined
}

/** Something that forbids (`error`) or weakens (`warning`) a fence by this driver on this cluster. */
export type FenceProblem = { severity: 'error' | 'warning'; what: string; fix: string }

/** One way to keep writers off; made for one cluster and its topics. */
export type FenceDriver = {
  readonly name: EngagedName
  /** Whether `release` lets writers go on by itself. False for `manual`: then no budget is kept and nothing is released. */
  readonly releases: boolean
  /** Whether it may stand after the switch as the seal of the old cluster. */
  readonly seals: boolean
  /** Looks only. Empty: it can be used. */
  probe(): Promise<readonly FenceProblem[]>
  /** Looks only: reads prior values. */
  plan(): Promise<FencePlan>
  /** Doing it again changes nothing. Resolves once it holds for every leader. Throws FENCE, HOOK_FAILED. */
  engage(plan: FencePlan): Promise<Engaged>
  /** Takes everything back that `plan` lists, whether or not it was engaged, by whichever process. Doing it again changes nothing. */
  release(plan: FencePlan): Promise<void>
}

/** Nobody wrote: log ends of all partitions stood for `windowMs`, seen in `sweeps` looks. */
export type StillProof = {
  windowMs: number
  sweeps: number
  partitions: number
  fromMs: number
  toMs: number
}

/** Part of a proof that the cluster answered, or why it could not (an API that these brokers lack). */
export type Answered<T> = ({ asked: true } & T) | { asked: false; why: string }

/** A fence that was proved. Source: CUTOVER.md 5. */
export type FenceProof = StillProof & {
  driver: EngagedName
  /** What the driver saw. */
  evidence: readonly string[]
  writersLeft?: number | undefined
  /** HW = LEO everywhere, and by which API the ends were asked. */
  ends?: { api: string; hwIsLeo: boolean } | undefined
  /** DescribeProducers: how many idempotent producers are known, that no sequence moved, and who wrote last. */
  producers?: Answered<{ known: number; moved: 0; lastMs?: number | undefined }> | undefined
  /** ListTransactions: none Ongoing or Prepare*. */
  transactions?: Answered<{ open: 0 }> | undefined
}

export type ProveOptions = {
  windowMs: number
  driver: EngagedName
  engaged: Engaged
  /** What was known before the first look, so that growth in between counts. */
  since?: ReadonlyMap<string, bigint> | undefined
}

/**
 * Proves that nobody writes. Growth by data: STILL_WRITTEN with partition, delta and rate. Growth by markers only begins
 * the window anew. `ends`: V, the log ends that stood still.
 */
export type ProofPort = {
  prove(options: ProveOptions): Promise<{ ends: Map<string, bigint>; proof: FenceProof }>
  /** A look without a window: growth since `ends`, as the straggler watch does it. */
  look(): Promise<Ends>
}
