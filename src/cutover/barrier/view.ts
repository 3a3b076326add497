import * as z from 'zod'
import { formatCount, formatDuration, plural } from '../../kit/index.ts'
import type { BarrierEvent, BarrierReport } from './barrier.ts'

const int64 = z.string().regex(/^-?\d+$/)
const side = z.object({ name: z.string(), clusterId: z.string() })

/** `kmig barrier --json`. */
export const barrierShape = {
  from: side,
  to: side,
  mirror: z.string(),
  reached: z.boolean(),
  ms: z.number(),
  partitions: z.array(z.object({ topic: z.string(), partition: z.number(), end: int64, copied: int64 })),
}

export const barrierProgress = ({ left, partitions }: BarrierEvent): { text: string } => ({
  text: `${formatCount(left)} offsets of ${plural(partitions, 'partition')} are not across yet`,
})

export const barrierText = ({ from, to, mirror, reached, ms, partitions }: BarrierReport): string => {
  const behind = partitions.filter(({ end, copied }) => copied < end)
  if (reached) {
    return `all that '${from.name}' held is on '${to.name}', ${plural(partitions.length, 'partition')}, after ${formatDuration(ms)}: start the writer`
  }
  const shown = behind.slice(0, 5).map(({ topic, partition, end, copied }) => {
    return `${topic}-${partition}: ${copied} of ${end}`
  })
  const more = behind.length > shown.length ? ` and ${behind.length - shown.length} more` : ''
  return `not across after ${formatDuration(ms)}: ${shown.join(', ')}${more}\n  do not start the writer; see that kmig mirror --name ${mirror} runs and keeps up, then run this again`
}
