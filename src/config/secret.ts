import { inspect } from 'node:util'

const REDACTED = '[redacted]'

/** A credential that no print, log or JSON shows. Only `reveal` gives it out, where it goes onto the wire. */
export class Secret {
  readonly #value: string
  constructor(value: string) {
    this.#value = value
  }
  reveal(): string {
    return this.#value
  }
  toString(): string {
    return REDACTED
  }
  toJSON(): string {
    return REDACTED
  }
  [inspect.custom](): string {
    return REDACTED
  }
}
