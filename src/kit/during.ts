/** What every long piece of work is given: a signal that ends it, and a place to tell what happens. */
export type During<Event = never> = {
  signal: AbortSignal
  /** Told of each event as it happens; must not throw. */
  on?: ((event: Event) => void) | undefined
}
