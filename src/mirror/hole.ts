import type { Hole } from '../kafka/index.ts'
import { KmigError } from '../kit/index.ts'

const REASONS = {
  marker: 'a transaction marker stands there',
  aborted: 'an aborted transaction stands there',
  compacted: 'the record there was compacted away, or deleted',
}
/** What stops a partition that can't have holes. */
export const holeIn = (where: string, { from, why }: Hole): KmigError =>
  new KmigError(
    'HOLE',
    `${where} offset ${from}: ${REASONS[why]}; partitions with holes can't be mirrored yet`,
    {
      try: [
        `leave the topic out with --exclude ${where.replace(/-\d+$/, '')}`,
        'what was copied before it stays exact; nothing after it was copied',
      ],
    },
  )
