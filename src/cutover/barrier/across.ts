import { type BatchHeader, type Cluster, sequenceOf } from '../../kafka/index.ts'
import { type During, KmigError, Offset } from '../../kit/index.ts'
import type { Copies, Copy } from '../../mirror/index.ts'
import { batchesAt, writtenIn } from '../proof/index.ts'
import type { Ended } from './refusals.ts'

/** `shifted`: something that is not of the old cluster stands before the copy's last record, as far as is known now. */
export type Across = 'across' | 'waiting' | 'shifted'

/**
 * Whether the copy has reached an end: by its place, and by who wrote what stands there. Throws FOREIGN_WRITE where that
 * is somebody else's, also while the copy is still on its way. Source: MIRROR.md 5.2.
 */
export const isAcross = async (
  copies: Copies,
  copy: Copy,
  { where, end }: Ended,
  during: During,
): Promise<Across> => {
  const { source } = copy.place
  const stands = await standsFor(copies, copy, end < source ? Offset(end) : source, during)
  if (stands !== 'across' || source >= end) return stands
  // ends of transactions leave no trace in a translated copy
  if (copy.why === undefined) return 'waiting'
  const rest = await writtenIn(copies.source, { where, from: source, to: end }, during)
  return rest.data.size > 0 || rest.unread > 0n ? 'waiting' : 'across'
}

/** Who wrote the last record of the copy before a source offset: its sequence counts all of the mirror's before it. */
const standsFor = async (
  { target, state }: Copies,
  { topic, partition, place, map, targetStart }: Copy,
  end: Offset,
  during: During,
): Promise<Across> => {
  const image = map.toTarget(end, place.source)
  if (image.kind !== 'exact' || image.at <= targetStart) return 'across' // nothing but padding stands before it
  const at = image.at - 1n
  const last = await batchOf(target, { topic, partition, at }, during)
  const ids = state.producerIds
  if (!last || !ids) return 'waiting'
  const { producerId, baseOffset } = last
  if (!ids.data.has(producerId) && !ids.control.has(producerId)) {
    const what = `producer ${producerId} wrote to offset ${baseOffset} of the new cluster, where the copy of offset ${end - 1n} should stand`
    throw new KmigError('FOREIGN_WRITE', `${topic}-${partition}: ${what}`, { try: EARLY })
  }
  // control records fill holes: what tells is the record before them
  const ordinal = map.ordinalAt(image.at) - 1n
  if (ordinal < 0n) return 'across'
  const meant = map.targetOf(ordinal)
  if (meant < targetStart) return 'across'
  const record = meant === at ? last : await batchOf(target, { topic, partition, at: meant }, during)
  if (!record) return 'waiting'
  return ids.data.has(record.producerId) && isInPlace(record, meant, ordinal) ? 'across' : 'shifted'
}

const EARLY = [
  'a writer was let go before its old records were across: see kmig verify',
  'do not start others',
]

/** What a copy that stays shifted means. */
export const shiftedBy = ({ where, end }: Ended): KmigError => {
  const what = `the copy of what stands before offset ${end} is not where its sequence belongs: somebody else wrote to the new cluster before it, and records may be missing`
  return new KmigError('FOREIGN_WRITE', `${where}: ${what}`, { try: EARLY })
}

const batchOf = async (
  target: Cluster,
  place: { topic: string; partition: number; at: bigint },
  during: During,
): Promise<BatchHeader | undefined> => (await batchesAt(target, place, during))[0]?.header

/** Every data record's sequence is its ordinal; a record of somebody else before it would have moved it on. */
const isInPlace = ({ baseOffset, baseSequence }: BatchHeader, at: Offset, ordinal: bigint): boolean =>
  ordinal >= at - baseOffset && baseSequence === sequenceOf(ordinal - (at - baseOffset))
