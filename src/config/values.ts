import { KmigError } from '../kit/index.ts'

/** The values of one client file. Each is asked for by its key; what nobody asked for is `unused`. */
export class Values {
  readonly file: string
  #values: ReadonlyMap<string, string>
  #asked = new Set<string>()
  constructor(file: string, values: ReadonlyMap<string, string>) {
    this.file = file
    this.#values = values
  }

  /** Trimmed, as Kafka does; undefined if it is not there. */
  get(key: string): string | undefined {
    this.#asked.add(key)
    return this.#values.get(key)?.trim()
  }
  /** The same, and undefined if it is empty. */
  some(key: string): string | undefined {
    return this.get(key) || undefined
  }
  entries(): IterableIterator<[string, string]> {
    return this.#values.entries()
  }
  get unused(): string[] {
    return [...this.#values.keys()].filter(key => !this.#asked.has(key))
  }

  /** CONFIG_INVALID about one key. `why` never shows a value that may be a credential. */
  wrong(key: string, why: string, ...next: string[]): KmigError {
    return new KmigError('CONFIG_INVALID', `${this.file}: ${key}: ${why}`, {
      try: next.length > 0 ? next : ['correct the file; docs/config.md says what is read of it'],
    })
  }
  /** UNSUPPORTED: something that Kafka's own client does, and kmig does not. */
  refused(key: string, why: string, ...next: string[]): KmigError {
    return new KmigError('UNSUPPORTED', `${this.file}: ${key}: ${why}`, { try: next })
  }
}
