import { type Cluster, LATEST } from '../kafka/index.ts'
import { type During, sleep } from '../kit/index.ts'
import type { Lane } from './lane.ts'

const ASK = { timeoutMs: 10_000, withinMs: 2_000 }
const AGAIN_MS = 250

/** Last stable offsets of the source now, by `topic-partition`; waits for those that can't be had, unless their lane stops. */
export const committedEnds = async (
  source: Cluster,
  lanes: readonly Lane[],
  { signal }: During,
): Promise<Map<string, bigint>> => {
  const ends = new Map<string, bigint>()
  for (;;) {
    const open = lanes.filter(lane => !lane.stopped && !ends.has(lane.where))
    if (open.length === 0) return ends
    const found = await source.listOffsets(
      open.map(({ topic, partition }) => ({ topic, partition, timestamp: LATEST })),
      { ...ASK, signal, isolation: 'read_committed', refused: () => {} },
    )
    for (const [where, { offset }] of found) ends.set(where, offset)
    if (found.size < open.length) await sleep(AGAIN_MS, signal)
  }
}
