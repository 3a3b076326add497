import { Offset } from '../kit/index.ts'
import { Lane } from './lane.ts'
import { notIdentical } from './lane-errors.ts'
import type { LaneOptions } from './lane-shape.ts'
import type { MirrorOptions } from './options.ts'
import type { Identity, MirrorState } from './state.ts'

export type NewLane = {
  topic: string
  partition: number
  state: MirrorState
  identity: Identity
  /** What goes on from before, see there. */
  before?: Pick<LaneOptions, 'counts' | 'strayUntil'> | undefined
  options: Pick<MirrorOptions, 'offsets' | 'fillingLimitMs'> & Pick<LaneOptions, 'back' | 'strays'>
}

/** A lane as it was left: where it stood, and its map. */
export const newLane = ({ topic, partition, state, identity, before, options }: NewLane): Lane => {
  const where = `${topic}-${partition}`
  const start = state.topic(topic)?.starts[partition] ?? Offset(0n)
  const ground = state.ground(where)
  const { target: offset, ordinal } = ground ?? { target: Offset(0n), ordinal: 0n }
  const anchor = state.anchor(where) ?? { offset, ordinal, epoch: -1 }
  const { map, why = map.translated ? '--offsets translated' : undefined } = state.map(topic, partition)
  const lane = new Lane({
    topic,
    partition,
    start,
    anchor,
    producer: { id: identity.producerId, epoch: identity.producerEpoch },
    ...{ map, why },
    ...before,
    ground,
    sent: state.sent(where),
    epochs: state.sourceEpochs(where),
    compacts: state.topic(topic)?.compacts,
    back: options.back,
    strays: options.strays,
    policy: options.offsets,
    fillingLimitMs: options.fillingLimitMs,
  })
  lane.gaps.push(...(state.gaps(where) ?? []))
  if (options.offsets === 'identical' && lane.map.translated) lane.stop(notIdentical(lane, lane.map.shifts))
  return lane
}
