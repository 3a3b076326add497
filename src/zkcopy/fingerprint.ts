import { createHash, hash } from 'node:crypto'
import type { Acl } from '../zookeeper/index.ts'
import type { Scanned } from './scan.ts'

const BUCKETS = 4_096
const WORDS = 4

/** What is compared of one znode: 16 bytes over path, data and, where it counts, ACL. Absent data is not empty data. */
export const digestOf = ({ path, data }: Pick<Scanned, 'path' | 'data'>, acl: Acl | undefined): Buffer => {
  const name = Buffer.from(path)
  const head = Buffer.allocUnsafe(12)
  head.writeInt32BE(name.length, 0)
  head.writeInt32BE(data?.length ?? -1, 4)
  head.writeInt32BE(acl?.length ?? -1, 8)
  const parts = [head, name, data ?? NOTHING, acl ?? NOTHING]
  return hash('sha256', Buffer.concat(parts), 'buffer').subarray(0, 4 * WORDS)
}
const NOTHING = Buffer.alloc(0)

/**
 * The digest of a tree that does not depend on the order in which it was read: 4,096 sums by path, each of the digests
 * of its znodes. Two trees that differ in a few znodes differ in as many sums, so that only those are looked at again.
 */
export class Fingerprint {
  readonly #sums = new Uint32Array(BUCKETS * WORDS)

  add(path: string, digest: Buffer): void {
    const at = bucketOf(path) * WORDS
    for (let word = 0; word < WORDS; word++) {
      this.#sums[at + word] = (this.#sums[at + word] ?? 0) + digest.readUInt32BE(4 * word)
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

export const bucketOf = (path: string): number => hash('md5', path, 'buffer').readUInt16BE(0) % BUCKETS
