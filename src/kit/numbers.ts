import { bug } from './errors.ts'

declare const unit: unique symbol
/** A number that means something has a type of its own. */
export type Branded<T, Name extends string> = T & { readonly [unit]: Name }

/** Place of a record in one partition, 0..2^63-1. Source: record batch v2, baseOffset. */
export type Offset = Branded<bigint, 'Offset'>
/** Throws BUG if negative. */
export const Offset = (n: bigint): Offset => {
  if (n < 0n) throw bug(`offset ${n} is negative`)
  return n as Offset
}

/** ZooKeeper transaction id: epoch << 32 | counter. Source: Stat, ReplyHeader. */
export type Zxid = Branded<bigint, 'Zxid'>
export const Zxid = (n: bigint): Zxid => n as Zxid
