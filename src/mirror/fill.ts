import { type Cluster, ERROR, isRetriable, kafkaError, WriteTxnMarkers } from '../kafka/index.ts'
import { KmigError, messageOf } from '../kit/index.ts'
import type { Lane } from './lane.ts'

/** Markers for one partition in one request: a broker appends them one after the other. */
const MARKERS = 500
const TIMEOUT_MS = 30_000
const ASK = { timeoutMs: 10_000, withinMs: 0 }

export type FillOptions = {
  target: Cluster
  /** Who writes control records. */
  control(): { id: bigint; epoch: number }
  /** Whether this process owns its lanes, at this very moment. */
  owns(): boolean
  signal: AbortSignal
}

/**
 * Fills the holes in front of lanes that one broker leads: one request of control records, as many for each partition as
 * its hole has offsets, and then the ends of their logs. A marker can't be told from its repeat, so each partition has
 * one such request under way and nothing beside it, and goes on only if its log ends where it should. Source: MIRROR.md 6.
 */
export const fill = async (
  lanes: readonly Lane[],
  { target, control, owns, signal }: FillOptions,
): Promise<void> => {
  const [first] = lanes
  const leader = first && target.leaderOf(first.topic, first.partition)
  if (!leader) {
    for (const lane of lanes) lane.doubt('nobody leads it on the target')
    return
  }
  const connection = await target.connection(leader.nodeId, 'fill', signal)
  // only now: while the connection was made a lane may have come to doubt what the target holds
  const wanted = lanes.flatMap(lane => {
    const markers = Number(lane.fillable < BigInt(MARKERS) ? lane.fillable : BigInt(MARKERS))
    return markers > 0 ? [{ lane, markers }] : []
  })
  if (wanted.length === 0 || !owns()) return
  for (const { lane, markers } of wanted) lane.fill(markers)
  const { id: producerId, epoch: producerEpoch } = control()
  const most = Math.max(...wanted.map(({ markers }) => markers))
  const request = {
    markers: Array.from({ length: most }, (_, i) => ({
      producerId,
      producerEpoch,
      committed: true,
      topics: byTopic(wanted.filter(({ markers }) => markers > i).map(({ lane }) => lane)),
      coordinatorEpoch: 0,
    })),
  }
  const errors = new Map<string, number>()
  let why = 'the answer left the partition out'
  try {
    const answer = await connection.send(WriteTxnMarkers, request, { timeoutMs: TIMEOUT_MS, signal })
    for (const { topics } of answer.markers)
      for (const { topic, partitions } of topics)
        for (const { partition, errorCode } of partitions)
          errors.set(`${topic}-${partition}`, errors.get(`${topic}-${partition}`) || errorCode)
  } catch (e) {
    why = messageOf(e)
  }
  const written = wanted.filter(({ lane }) => errors.get(lane.where) === ERROR.NONE)
  for (const { lane } of wanted)
    if (errors.get(lane.where) !== ERROR.NONE) refused(lane, errors.get(lane.where), why)
  const ends = await target.epochEnds(
    written.map(({ lane: { topic, partition, epoch } }) => ({
      topic,
      partition,
      leaderEpoch: epoch,
      currentLeaderEpoch: epoch,
    })),
    { ...ASK, signal },
  )
  for (const { lane } of written) {
    const end = ends.get(lane.where)
    if (end?.kind === 'end') lane.filled(end.endOffset)
    else lane.unfilled('where the target ends after markers could not be told')
  }
}

const byTopic = (lanes: readonly Lane[]) =>
  [...Map.groupBy(lanes, lane => lane.topic)].map(([topic, share]) => ({
    topic,
    partitions: share.map(({ partition }) => partition),
  }))

const refused = (lane: Lane, errorCode: number | undefined, why: string): void => {
  if (errorCode === undefined) {
    lane.unfilled(why)
    return
  }
  const { name } = kafkaError(errorCode)
  const what = `${lane.where} offset ${lane.acked}: the target refused to fill a hole: ${name}`
  if (errorCode === ERROR.CLUSTER_AUTHORIZATION_FAILED) {
    const remedies = [
      'allow ClusterAction, or Alter, on the target cluster',
      'or start with --offsets translated',
    ]
    lane.fillDenied(new KmigError('AUTHORIZATION', what, { try: remedies }))
    return
  }
  lane.unfilled(name)
  if (name === 'INVALID_PRODUCER_EPOCH' || name === 'TRANSACTION_COORDINATOR_FENCED')
    lane.stop(
      new KmigError('FOREIGN_WRITE', what, {
        try: ['another process took this mirror over: see who runs it'],
      }),
    )
  else if (!isRetriable(errorCode) && lane.setbacks >= PATIENCE)
    lane.stop(
      new KmigError('BROKER', what, { try: ['see the log of the target broker that leads the partition'] }),
    )
}

/** After so many doubts in a row a refusal that trying again doesn't cure is no accident. */
const PATIENCE = 8
