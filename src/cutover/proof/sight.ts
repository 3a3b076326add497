import type { OpenTransactionState, ProducerState } from '../../kafka/index.ts'
import type { Ends } from '../ports.ts'

/** An answer of the cluster, or why it gives none: an API that its brokers lack, a right that kmig's user lacks. */
export type Seen<T> = { kind: 'seen'; value: T } | { kind: 'unseen'; why: string }

/** Who wrote in a range of offsets, by the headers of its batches. Records of no producer id are under -1. */
export type Written = {
  data: ReadonlyMap<bigint, { records: bigint; epoch: number }>
  /** Control records: ends of transactions. */
  markers: bigint
  /** Offsets that no consumer may read yet, or that are gone. */
  unread: bigint
}

/** What a proof looks at. Each call asks anew. */
export type FenceSight = {
  ends(): Promise<Ends>
  /** High watermarks of these partitions. */
  replicated(wheres: readonly string[]): Promise<ReadonlyMap<string, bigint>>
  written(range: { where: string; from: bigint; to: bigint }): Promise<Written>
  producers(): Promise<Seen<ReadonlyMap<string, readonly ProducerState[]>>>
  transactions(): Promise<Seen<readonly OpenTransactionState[]>>
  /** Consumer groups with members, and how many. */
  groups(): Promise<Seen<readonly { group: string; members: number }[]>>
}
