import { Cursor, type CursorOptions } from './cursor.ts'
import type { SideDigest } from './digest.ts'
import type { Supply } from './feed.ts'
import { type Print, printOf } from './print.ts'

/** One side of one partition: the feed that brings sets, and the cursor that walks over them. */
export class Walk implements AsyncDisposable {
  readonly cursor: Cursor
  readonly #feed: Supply
  #ended = false
  /** The log start, once it has overtaken the reading. */
  trimmedTo: bigint | undefined
  /** Is given every record that passes, by whoever passes it. */
  digest: SideDigest | undefined

  constructor(feed: Supply, cursor: CursorOptions) {
    this.#feed = feed
    this.cursor = new Cursor(cursor)
  }

  /** Whether there is a batch or record to stand on, after asking for more if need be. */
  async fill(): Promise<boolean> {
    while (!this.cursor.ready && !this.#ended && !this.cursor.past) {
      const fed = await this.#feed.next()
      if (fed.kind === 'end') this.#ended = true
      else if (fed.kind === 'set') this.cursor.load(fed.set)
      else this.trimmedTo = fed.start
    }
    return this.cursor.ready
  }

  /** Takes up to `count` records off as prints; false if there was none. */
  async take(prints: Print[], count: number): Promise<boolean> {
    const { cursor } = this
    const before = prints.length
    for (let left = count; left > 0 && (await this.fill()); ) {
      cursor.open()
      for (; left > 0 && cursor.ready && !cursor.fresh; left--) {
        prints.push(printOf(cursor))
        this.digest?.add(cursor, cursor.offset)
        cursor.nextRecord()
      }
    }
    return prints.length > before
  }

  /** Passes all records before an offset, for the digest alone. */
  async digestTo(offset: number): Promise<void> {
    const { cursor, digest } = this
    while (await this.fill()) {
      if (cursor.fresh && cursor.base >= offset) return
      cursor.open()
      for (; cursor.ready && !cursor.fresh; cursor.nextRecord()) {
        if (cursor.offset >= offset) return
        digest?.add(cursor, cursor.offset)
      }
    }
  }

  /** Leaves out what is before an offset. */
  async skipTo(offset: number): Promise<void> {
    const { cursor } = this
    cursor.from = Math.max(cursor.from, offset)
    while (await this.fill()) {
      if (cursor.fresh ? cursor.last >= offset : cursor.offset >= offset) return
      if (cursor.last < offset) cursor.nextBatch()
      else cursor.nextRecord()
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cursor.close()
    await this.#feed[Symbol.asyncDispose]()
  }
}
