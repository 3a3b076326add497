/** Lines [from, to) of one text that stand where lines [from, to) of the other stood. */
export type Block = { a: [from: number, to: number]; b: [from: number, to: number] }

/** A text as lines, each with its line break; a last line without one has none. */
export const splitLines = (text: string): string[] => text.match(/[^\n]*\n|[^\n]+$/g) ?? []

/** More differing lines than this are taken for one block: the tables below grow with the square. */
const MAX_DISTANCE = 1_000

/** What differs between two texts, line by line, in order. Source: Myers, "An O(ND) Difference Algorithm" (1986). */
export const diffLines = (a: readonly string[], b: readonly string[]): Block[] => {
  let head = 0
  while (head < a.length && head < b.length && a[head] === b[head]) head++
  let tail = 0
  while (tail < a.length - head && tail < b.length - head && a.at(-1 - tail) === b.at(-1 - tail)) tail++
  const middle = { a: a.slice(head, a.length - tail), b: b.slice(head, b.length - tail) }
  return blocksOf(middle.a, middle.b).map(({ a: [a0, a1], b: [b0, b1] }) => ({
    a: [a0 + head, a1 + head],
    b: [b0 + head, b1 + head],
  }))
}

const blocksOf = (a: readonly string[], b: readonly string[]): Block[] => {
  if (a.length === 0 && b.length === 0) return []
  const trace = search(a, b)
  return trace ? walkBack(a, b, trace) : [{ a: [0, a.length], b: [0, b.length] }]
}

/** Farthest x on each diagonal k, one table per distance d; undefined when the texts differ too much. */
const search = (a: readonly string[], b: readonly string[]): Map<number, number>[] | undefined => {
  const trace: Map<number, number>[] = []
  let reached = new Map([[1, 0]])
  for (let d = 0; d <= Math.min(a.length + b.length, MAX_DISTANCE); d++) {
    trace.push(reached)
    const next = new Map(reached)
    for (let k = -d; k <= d; k += 2) {
      const [down, right] = [next.get(k + 1) ?? -1, next.get(k - 1) ?? -1]
      let x = k === -d || (k !== d && right < down) ? down : right + 1
      while (x < a.length && x - k < b.length && a[x] === b[x - k]) x++
      next.set(k, x)
      if (x >= a.length && x - k >= b.length) return trace
    }
    reached = next
  }
  return undefined
}

const walkBack = (a: readonly string[], b: readonly string[], trace: Map<number, number>[]): Block[] => {
  const blocks: Block[] = []
  let [x, y] = [a.length, b.length]
  for (let d = trace.length - 1; d >= 0; d--) {
    const reached = trace[d] ?? new Map<number, number>()
    const k = x - y
    const [down, right] = [reached.get(k + 1) ?? -1, reached.get(k - 1) ?? -1]
    const fromK = k === -d || (k !== d && right < down) ? k + 1 : k - 1
    const fromX = Math.max(0, reached.get(fromK) ?? 0)
    const fromY = Math.max(0, fromX - fromK)
    while (x > fromX && y > fromY && a[x - 1] === b[y - 1]) [x, y] = [x - 1, y - 1]
    if (d > 0) prepend(blocks, { a: [fromX, x], b: [fromY, y] })
    ;[x, y] = [fromX, fromY]
  }
  return blocks
}

const prepend = (blocks: Block[], block: Block): void => {
  const [first] = blocks
  if (first && first.a[0] === block.a[1] && first.b[0] === block.b[1]) {
    first.a[0] = block.a[0]
    first.b[0] = block.b[0]
  } else blocks.unshift(block)
}
