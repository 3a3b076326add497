import type { ConfigPlan } from '../inventory/index.ts'
import { alterTopicConfigs, type Cluster } from '../kafka/index.ts'
import { type During, isKmigError, type KmigError } from '../kit/index.ts'
import type { MirrorEvent } from './events.ts'
import { passes } from './passes.ts'
import type { TopicState } from './state.ts'

/** Kafka's limit of a batch. */
export const LIMIT = 'max.message.bytes'

/** Bytes of the largest batch that a copy takes while it is mirrored. */
export const batchLimit = (held: Readonly<Record<string, string>> = {}): number =>
  Number(held[LIMIT] ?? Number.POSITIVE_INFINITY)

/** Who raised the limit of a batch on the target did so for a record that was refused: it is not lowered again. */
export const keepLimit = <S extends { held: Record<string, string> }>(
  wanted: S,
  now: string | null | undefined,
): S =>
  LIMIT in wanted.held && Number(now ?? 0) > batchLimit(wanted.held)
    ? { ...wanted, held: { ...wanted.held, [LIMIT]: String(now) } }
    : wanted

type Settings = Pick<TopicState, 'final' | 'held'>

export type ConfigChanges = {
  /** What the source has and had not, and what it has no more. */
  set: Record<string, string>
  removed: string[]
  /** Which of them are held while mirroring, and so reach the target at the cutover only. */
  later: string[]
  /** What the target's topic must be told now. */
  now: { set: Record<string, string>; delete: string[] }
}

/** What has changed from the settings that the copy was given to those that the source has; undefined if nothing has. */
export const configChanges = (known: Settings, wanted: Settings): ConfigChanges | undefined => {
  const differ = (from: Record<string, string>, to: Record<string, string>) =>
    Object.fromEntries(Object.entries(to).filter(([name, value]) => from[name] !== value))
  const set = differ(known.final, wanted.final)
  const removed = Object.keys(known.final).filter(name => !(name in wanted.final))
  const held = differ(known.held, wanted.held)
  if (Object.keys({ ...set, ...held }).length + removed.length === 0) return undefined
  const isHeld = (name: string) => name in wanted.held
  const unheld = Object.entries(set).filter(([name]) => !isHeld(name))
  return {
    set,
    removed,
    later: [...Object.keys(set), ...removed].filter(isHeld),
    now: {
      set: { ...Object.fromEntries(unheld), ...held },
      delete: removed.filter(name => !isHeld(name)),
    },
  }
}

export type AlignOptions = During<MirrorEvent> & {
  target: Cluster
  topic: string
  known: Settings
  configs: Pick<ConfigPlan, 'final' | 'held'>
  /** Told of what the target refused; true if another value will be tried next time. */
  learn?: ((error: KmigError) => boolean) | undefined
}

/**
 * Gives a copy what changed on the source since it was last looked at; gives the settings to remember. What the target
 * refuses is told, and tried again at the next look.
 */
export const alignConfigs = async ({
  target,
  topic,
  known,
  configs,
  signal,
  on,
  learn,
}: AlignOptions): Promise<Settings> => {
  const wanted = keepLimit(configs, known.held[LIMIT])
  const changes = configChanges(known, wanted)
  if (!changes) return known
  try {
    await alterTopicConfigs(target, topic, changes.now, { signal })
  } catch (e) {
    if (!isKmigError(e) || passes(e)) throw e
    if (learn?.(e)) return known
    const text = `settings that changed on the source can't be given to the copy: ${e.message}`
    on?.({ kind: 'warning', where: topic, text })
    return known
  }
  const { set, removed, later } = changes
  if (Object.keys(set).length + removed.length > 0)
    on?.({ kind: 'configs-followed', topic, set, removed, later })
  return { final: wanted.final, held: wanted.held }
}
