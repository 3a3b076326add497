import type { Plan } from '../discovery/index.ts'
import { formatDuration, plural } from '../kit/index.ts'
import type { MirrorPlan } from '../mirror/index.ts'
import type { PlanDocument, PlannedAction, PlannedChange } from './plan-document.ts'
import { LEAST_WINDOW_MS } from './still.ts'

export type ActionsInput = {
  mirror: MirrorPlan
  files: Pick<Plan, 'files' | 'entries'>
  strategy: PlanDocument['strategy']
  hooks: PlanDocument['hooks']
  /** Groups that move before the fence. */
  readersFirst: readonly string[]
}

/** What will be done, in order: how it is seen to be done, and what takes it back. */
export const actionsOf = ({
  mirror,
  files,
  strategy,
  hooks,
  readersFirst,
}: ActionsInput): PlannedAction[] => {
  const partitions = mirror.topics.reduce((sum, topic) => sum + topic.partitions.length, 0)
  const changing = files.entries.filter(entry => entry.is === 'change').map(({ cluster }) => cluster)
  const old = `'${mirror.source.name}'`
  const has = (name: string) => hooks.some(hook => hook.name === name)
  const { driver, windowMs, maxFenceMs, acls } = strategy
  const window =
    windowMs === null
      ? `10 s, or ${LEAST_WINDOW_MS / 1_000} s behind a fence that proves itself`
      : formatDuration(windowMs)
  const action = (id: string, effect: string, proof: string, inverse: string) => [
    { id, effect, proof, inverse },
  ]
  return [
    ...action(
      'copy',
      `copy what is left of ${plural(partitions, 'partition')} of ${plural(mirror.topics.length, 'topic')}, until caught up`,
      'acknowledged offsets against the log ends of the old cluster',
      'nothing need be: the copies stay, and are gone on with',
    ),
    ...(readersFirst.length > 0
      ? action(
          'readers',
          `move readers of ${readersFirst.join(', ')} first: ${has('stop-readers') ? 'hook stop-readers stops' : 'you stop'} each group, its offsets are set on the new cluster, ${has('start-readers') ? 'hook start-readers starts' : 'you start'} it there; writers still write to ${old}`,
          'each has no member on either cluster, and its offsets are read again on both',
          'kmig cutover abort --readers-back',
        )
      : []),
    ...(acls
      ? action(
          'rights',
          'make the ACLs that the new cluster lacks, but for those that let clients write to these topics',
          'every broker lists them',
          'exactly those that were made are deleted',
        )
      : []),
    ...(driver === 'manual'
      ? action('fence', 'you stop the writers', 'the next step', 'you start them again')
      : action(
          'fence',
          `keep writers off ${old} by ${driver}${maxFenceMs === null ? '' : `, for ${formatDuration(maxFenceMs)} at most`}`,
          'the next step',
          'the fence is released: by kmig, or by its watchdog if kmig dies',
        )),
    ...action(
      'prove',
      `see that nobody writes to ${old}`,
      `its log ends stand still for ${window}`,
      'nothing need be',
    ),
    ...action(
      'drain',
      'copy up to that cut',
      'the new cluster ends exactly there: nothing is missing, nobody else wrote',
      'nothing need be',
    ),
    ...action(
      'groups',
      'wait for live groups to read to the end, then set all group offsets',
      'each is set, or was right already',
      'nothing need be: nobody reads there yet',
    ),
    ...action(
      'files',
      `rewrite ${plural(files.files.length, 'file')}, for ${changing.join(', ') || 'no cluster'}; clients re-read them when they restart`,
      'sha256 of each, read again',
      'every byte as it was; later edits of others stay',
    ),
    ...(acls
      ? action(
          'write-hold',
          'make the ACLs that let clients write',
          'every broker lists them',
          'exactly those that were made are deleted',
        )
      : []),
    ...(has('reload-clients')
      ? action('reload', 'hook reload-clients', 'its exit code', 'hook rollback')
      : []),
    ...action(
      'complete',
      'kmig cutover complete, when you say so: topics get their own settings (retention, compaction) on the new cluster',
      'settings read again',
      'none: this is the one step that can not be taken back',
    ),
  ]
}

/** Settings that the run changes, with what they are now. Those that mirroring needs stay until `complete`. */
export const changesOf = ({ topics }: MirrorPlan): PlannedChange[] =>
  topics.flatMap(({ topic, configs: { final, held } }) =>
    Object.keys({ ...final, ...held }).flatMap((name): PlannedChange[] => {
      const [prior, next] = [held[name] ?? final[name] ?? null, final[name] ?? null]
      if (prior === next) return []
      const atOnce = name === 'message.timestamp.type' && next === 'LogAppendTime'
      return [
        {
          cluster: 'new',
          kind: 'config',
          name: `topic ${topic} ${name}`,
          ...{ prior, next },
          when: atOnce ? 'opening' : 'completing',
        },
      ]
    }),
  )
