import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Plan } from '../discovery/index.ts'
import { formatHostPort, KmigError, writeFileAtomic } from '../kit/index.ts'
import type { Mirror } from '../mirror/index.ts'
import type { CutoverPlan } from './plan.ts'
import type { PlanDocument, PlannedSide } from './plan-document.ts'
import { changesOf } from './planned-actions.ts'
import type { RunSubject } from './run-directory.ts'
import { type Seen, sha256Of } from './seen.ts'

/** A plan that is older has been forgotten: what it says of topics and groups is looked at again by its operator. */
const VALID_MS = 24 * 3_600_000

export type DocumentInput = {
  run: string
  toolVersion: string
  nowMs: number
  subject: RunSubject
  mirror: Mirror
  versions: { from: string; to: string }
  plan: CutoverPlan
  files: Plan
  seen: Seen
  hooks: PlanDocument['hooks']
  hooksDirectory: string | null
  strategy: PlanDocument['strategy']
  accepted: readonly string[]
}

export const makeDocument = (input: DocumentInput): PlanDocument => {
  const {
    run,
    toolVersion,
    nowMs,
    subject,
    mirror,
    plan,
    files,
    seen,
    hooks,
    strategy,
    accepted,
    hooksDirectory,
  } = input
  const side = (which: 'from' | 'to'): PlannedSide => {
    const cluster = which === 'from' ? mirror.source : mirror.target
    const { name, clusterId, bootstrap } = subject[which]
    return {
      ...{ name, clusterId, bootstrap, version: input.versions[which] },
      brokers: [...cluster.brokers.values()].map(formatHostPort).sort(),
    }
  }
  const left = new Map(plan.leftBehind.groups.map(({ group, why }) => [group, why]))
  const rest: Omit<PlanDocument, 'hash'> = {
    schemaVersion: 1,
    ...{ run, toolVersion },
    madeAt: new Date(nowMs).toISOString(),
    expiresAt: new Date(nowMs + VALID_MS).toISOString(),
    subject,
    from: side('from'),
    to: side('to'),
    mirror: mirror.name,
    discovery: files.root,
    topics: mirror.plan.topics.map(({ topic, sourceId, partitions, action, why }) => ({
      ...{ topic, sourceId, action },
      reason: why ?? null,
      partitions: partitions.map(({ partition, mode, modeWhy }) => ({
        ...{ partition, mode },
        reason: modeWhy ?? null,
      })),
    })),
    groups: [...seen.groups, ...left.keys()].filter(unique).map(group => ({
      group,
      moves: !left.has(group),
      reason: left.get(group) ?? null,
    })),
    leftBehind: plan.leftBehind,
    changes: changesOf(mirror.plan),
    files: files.files,
    ...{ hooks, hooksDirectory, strategy, accepted, seen },
    preflight: plan.preflight ?? { findings: [], checks: [] },
    actions: plan.actions,
  }
  return { ...rest, hash: sha256Of(rest) }
}

const unique = <T>(value: T, at: number, all: readonly T[]): boolean => all.indexOf(value) === at

const pathOf = (directory: string): string => join(directory, 'plan.json')

export const writeDocument = async (directory: string, document: PlanDocument): Promise<void> => {
  await writeFileAtomic(pathOf(directory), `${JSON.stringify(document, undefined, 2)}\n`)
}

/** The plan of a run; undefined where there is none. Throws PLAN_CHANGED when somebody edited it, STATE_DAMAGED. */
export const readDocument = (directory: string): PlanDocument | undefined => {
  const path = pathOf(directory)
  if (!existsSync(path)) return undefined
  let document: PlanDocument
  try {
    document = JSON.parse(readFileSync(path, 'utf8')) as PlanDocument
  } catch (cause) {
    throw new KmigError('STATE_DAMAGED', `${path} is no JSON`, { try: ['make a new plan'], cause })
  }
  if (document.schemaVersion !== 1) {
    throw new KmigError('STATE_DAMAGED', `${path} was written by another version of kmig`, {
      try: ['make a new plan'],
    })
  }
  const { hash, ...rest } = document
  if (sha256Of(rest) === hash) return document
  throw new KmigError('PLAN_CHANGED', `${path} is not as kmig wrote it: its hash differs`, {
    try: ['make a new plan: kmig cutover without --execute'],
  })
}

/** Throws PLAN_CHANGED for a plan that has expired. */
export const refuseExpired = ({ run, expiresAt }: PlanDocument, nowMs: number): void => {
  if (nowMs < Date.parse(expiresAt)) return
  throw new KmigError('PLAN_CHANGED', `plan ${run} expired at ${expiresAt}`, {
    try: ['make a new plan: kmig cutover without --execute'],
  })
}
