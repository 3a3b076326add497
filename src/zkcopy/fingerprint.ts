import { createHash, hash } from 'node:crypto'
import type { Acl } from '../zookeeper/index.ts'
import type { Scanned } from './scan.ts'

const BUCKETS = 4_096
const WORDS = 4

/** What is compared of one znode: 16 bytes as as many characters, which is several times cheaper than as a Buffer. */
export type Digest = string
let scratch = Buffer.allocUnsafe(4_096)

/** Over path, data and, where it counts, ACL. Absent data is not empty data. */
export const digestOf = ({ path, data }: Pick<Scanned, 'path' | 'data'>, acl: Acl | undefined): Digest => {
  const most = 12 + 3 * path.length + (data?.length ?? 0) + (acl?.length ?? 0)
  if (most > scratch.length) scratch = Buffer.allocUnsafe(2 * most)
  const name = scratch.write(path, 12)
  scratch.writeInt32BE(name, 0)
  scratch.writeInt32BE(data?.length ?? -1, 4)
  scratch.writeInt32BE(acl?.length ?? -1, 8)
  let end = 12 + name
  if (data) end += data.copy(scratch, end)
  if (acl) end += acl.copy(scratch, end)
  return hash('sha256', scratch.subarray(0, end), 'binary').slice(0, 4 * WORDS)
}

/**
 * The digest of a tree that does not depend on the order in which it was read: 4,096 sums by path, each of the digests
 * of its znodes. Two trees that differ in a few znodes differ in as many sums, so that only those are looked at again.
 */
export class Fingerprint {
  readonly #sums = new Uint32Array(BUCKETS * WORDS)

  add(path: string, digest: Digest): void {
    const at = bucketOf(path) * WORDS
    for (let word = 0; word < WORDS; word++) {
      const from = 4 * word
      const value =
        (digest.charCodeAt(from) << 24) |
        (digest.charCodeAt(from + 1) << 16) |
        (digest.charCodeAt(from + 2) << 8) |
        digest.charCodeAt(from + 3)
      this.#sums[at + word] = (this.#sums[at + word] ?? 0) + (value >>> 0)
    }
  }

  /** The buckets in which two trees differ. */
  differing(from: Fingerprint): Set<number> {
    const found = new Set<number>()
    for (const [i, sum] of this.#sums.entries()) {
      if (sum !== from.#sums[i]) found.add(Math.floor(i / WORDS))
    }
    return found
  }

  /** 64 hex digits; equal for equal trees, on any machine. */
  toString(): string {
    const to = createHash('sha256')
    const bytes = Buffer.alloc(4 * this.#sums.length)
    for (const [i, sum] of this.#sums.entries()) bytes.writeUInt32BE(sum, 4 * i)
    return to.update(bytes).digest('hex')
  }
}

/** Only shares paths out: what is proved stands in the digests. FNV-1a. */
export const bucketOf = (path: string): number => {
  let sum = 0x811c9dc5
  for (let i = 0; i < path.length; i++) sum = Math.imul(sum ^ path.charCodeAt(i), 0x01000193)
  return ((sum >>> 16) ^ sum) & (BUCKETS - 1)
}
