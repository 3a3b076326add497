/** What was done to come to a state. */
export type Found<S> = { why: string; trace: string[]; state: S }

/**
 * Every state that can be reached, breadth first, so that the first one that breaks an invariant is told with one of the
 * shortest ways to it. States are told apart by their JSON.
 */
export const explore = <S>({
  start,
  next,
  broken,
  most = 2_000_000,
}: {
  start: S
  next: (state: S) => Iterable<readonly [what: string, state: S]>
  broken: (state: S) => string | undefined
  most?: number
}): { states: number; seen: S[]; found: Found<S> | undefined } => {
  type Node = { state: S; before: Node | undefined; what: string }
  const known = new Set([JSON.stringify(start)])
  const queue: Node[] = [{ state: start, before: undefined, what: 'start' }]
  for (let i = 0; i < queue.length; i++) {
    const node = queue[i] as Node
    const why = broken(node.state)
    if (why !== undefined) {
      const trace: string[] = []
      for (let at: Node | undefined = node; at; at = at.before) trace.unshift(at.what)
      return { states: queue.length, seen: [], found: { why, trace, state: node.state } }
    }
    for (const [what, state] of next(node.state)) {
      const key = JSON.stringify(state)
      if (known.has(key)) continue
      known.add(key)
      if (known.size > most) throw new Error(`more than ${most} states`)
      queue.push({ state, before: node, what })
    }
  }
  return { states: queue.length, seen: queue.map(({ state }) => state), found: undefined }
}
