/**
 * Ordered, bounded concurrency: results in the order of the items, at most `depth` at work.
 * The first failure (of the oldest) ends it and aborts the others' signal.
 */
export async function* inFlight<A, B>(
  items: AsyncIterable<A> | Iterable<A>,
  depth: number,
  work: (item: A, signal: AbortSignal) => Promise<B>,
  signal: AbortSignal,
): AsyncGenerator<B, void> {
  const stop = new AbortController()
  const both = AbortSignal.any([signal, stop.signal])
  const queue: Promise<B>[] = []
  try {
    for await (const item of items) {
      both.throwIfAborted()
      const job = work(item, both)
      job.catch(() => {}) // its failure is thrown when it is the oldest
      queue.push(job)
      const oldest = queue.length < depth ? undefined : queue.shift()
      if (oldest) yield await oldest
    }
    for (const job of queue) yield await job
  } finally {
    stop.abort()
    await Promise.allSettled(queue)
  }
}
