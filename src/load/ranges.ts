/** A set of whole numbers, kept as sorted, disjoint ranges with both ends inside. Adding in order is cheap. */
export class Ranges {
  readonly #list: [from: number, to: number][] = []
  constructor(ranges: Iterable<readonly [from: number, to: number]> = []) {
    for (const [from, to] of ranges) this.add(from, to)
  }

  add(from: number, to: number = from): void {
    if (to < from) return
    let at = this.#after(from - 1) // the first range that ends at from - 1 or later: it may touch
    let [low, high] = [from, to]
    let count = 0
    for (let i = at; ; i++, count++) {
      const next = this.#list[i]
      if (!next || next[0] > high + 1) break
      low = Math.min(low, next[0])
      high = Math.max(high, next[1])
    }
    at = Math.min(at, this.#list.length)
    this.#list.splice(at, count, [low, high])
  }

  /** Takes one number out; false if it was not in. */
  remove(n: number): boolean {
    const at = this.#after(n)
    const range = this.#list[at]
    if (!range || range[0] > n) return false
    const [from, to] = range
    const left: [number, number][] = [
      [from, n - 1],
      [n + 1, to],
    ]
    this.#list.splice(at, 1, ...left.filter(([low, high]) => low <= high))
    return true
  }

  has(n: number): boolean {
    return (this.#list[this.#after(n)]?.[0] ?? Number.POSITIVE_INFINITY) <= n
  }

  /** What is in both. */
  and(other: Ranges): Ranges {
    const both = new Ranges()
    for (const [from, to] of this.#list) {
      for (const [low, high] of other.#list) both.add(Math.max(from, low), Math.min(to, high))
    }
    return both
  }

  /** How many numbers. */
  get count(): number {
    return this.#list.reduce((sum, [from, to]) => sum + to - from + 1, 0)
  }

  toJSON(): [from: number, to: number][] {
    return this.#list.map(([from, to]) => [from, to])
  }

  /** `3-7, 9`. */
  toString(): string {
    return this.#list.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)).join(', ')
  }

  /** Index of the first range that ends at n or later. */
  #after(n: number): number {
    let [low, high] = [0, this.#list.length]
    while (low < high) {
      const mid = (low + high) >> 1
      if ((this.#list[mid]?.[1] ?? 0) < n) low = mid + 1
      else high = mid
    }
    return low
  }
}
