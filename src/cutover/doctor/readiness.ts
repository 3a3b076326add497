import { accessSync, constants, existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { formatDuration, plural } from '../../kit/index.ts'
import { HOOKS } from '../ports.ts'
import { liveSight } from '../proof/index.ts'
import { clockSkew } from './clock.ts'
import { type Facts, movingOf, tried } from './facts.ts'
import { about, type Finding, looked, notChecked, type Outcome } from './finding.ts'
import { lastSent, pauseFindings, pausesOf } from './pauses.ts'
import { type RehearsalOptions, rehearsalAge } from './rehearsal.ts'

type Found = Omit<Finding, 'id'>

export type ReadinessOptions = RehearsalOptions & {
  hooksDir?: string | undefined
  groups?: readonly string[] | undefined
  /** How long log ends must stand still, ms. */
  windowMs: number
  /** How long writers may stand still, ms; undefined where kmig does not let them go on. */
  maxFenceMs: number | undefined
}

/** What the run itself needs: its hooks, its time. */
export const readinessChecks = async (facts: Facts, options: ReadinessOptions): Promise<Outcome[]> => [
  await clockSkew(facts, options),
  hooks(options.hooksDir),
  await budget(facts, options),
  rehearsalAge(facts, options),
]

const hooks = (directory: string | undefined): Outcome => {
  const id = 'hooks'
  if (directory === undefined) return notChecked(id, 'no directory of hooks was named (--hooks)')
  const severity = 'error' as const
  if (!existsSync(directory) || !statSync(directory).isDirectory())
    return looked(id, [
      { severity, evidence: `${directory} is no directory`, fix: 'name another with --hooks' },
    ])
  const known: readonly string[] = HOOKS
  const there = readdirSync(directory)
  const inert = there.filter(name => known.includes(name) && !isExecutable(join(directory, name)))
  const half: Found[] =
    there.includes('fence') && !there.includes('unfence')
      ? [
          {
            severity,
            evidence: 'there is a hook fence and no unfence',
            fix: 'write one: it lets writers go on',
          },
        ]
      : []
  return looked(id, [
    ...about(inert, {
      severity,
      evidence: names => `hooks are not executable: ${names}`,
      fix: `chmod +x in ${directory}`,
    }),
    ...half,
    ...about(
      there.filter(name => !known.includes(name)),
      {
        severity: 'warning',
        evidence: names => `no hook has such a name, these never run: ${names}`,
        fix: `hooks are ${known.join(', ')}`,
      },
    ),
  ])
}
/** Whether a hook is there and can run. */
export const hasHook = (directory: string | undefined, name: string): boolean =>
  directory !== undefined && isExecutable(join(directory, name))
const isExecutable = (path: string): boolean => {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** Looks that the fence needs beside its window: at its start, at its end, and after the drain. */
const LOOKS = 3
const SWITCH_MS = 1_000
const COMMITS_A_SECOND = 250

/** Does what the fence will do once, on the cluster as it is, and adds it up. */
const budget = async (
  facts: Facts,
  { groups, windowMs, maxFenceMs, signal }: ReadinessOptions,
): Promise<Outcome> => {
  const { old, moving } = facts
  const wheres = movingOf(old, moving).flatMap(({ name, partitions }) =>
    partitions.flatMap(({ partition, leader }) => (leader < 0 ? [] : [{ topic: name, partition }])),
  )
  const start = performance.now()
  const seen = await tried(
    signal => {
      const sight = liveSight({ cluster: old.cluster, wheres: () => wheres, groups, signal })
      return Promise.all([sight.ends(), sight.producers(), sight.transactions(), sight.groups()])
    },
    { signal },
  )
  if (seen.kind === 'unseen') return notChecked('budget', seen.why)
  const lookMs = performance.now() - start
  const many = old.groups.kind === 'seen' ? old.groups.value.length : 0
  const pauseMs = windowMs + LOOKS * lookMs + SWITCH_MS + (many / COMMITS_A_SECOND) * 1_000
  const pauses = await tried(signal => lastSent(old.cluster, wheres, { signal }), { signal })
  const unseen = pauses.kind === 'seen' ? pauseFindings(pausesOf(pauses.value), windowMs) : []
  if (maxFenceMs === undefined || pauseMs <= maxFenceMs) return looked('budget', unseen)
  const evidence = `writers would stand still for about ${formatDuration(pauseMs)}, they may for ${formatDuration(maxFenceMs)}: a window of ${formatDuration(windowMs)}, looks of ${formatDuration(lookMs)}, ${plural(many, 'group')}`
  return looked('budget', [
    ...unseen,
    {
      severity: 'error',
      evidence,
      fix: 'a fence hook that proves itself allows a window of 1 s; or move fewer topics',
    },
  ])
}
