import type { Reader } from './reader.ts'
import { Writer } from './writer.ts'

/** What a message is read or written at: its version, and whether it has the flexible form (compact lengths, tags). */
export type At = { readonly version: number; readonly flexible: boolean }

/**
 * One field of a message: how it is read and written. `In` may be wider than `Out`: a field with a default may be left
 * out when writing, and always has a value when read.
 */
export type Field<Out, In = Out> = {
  read(from: Reader, at: At): Out
  write(to: Writer, value: In, at: At): void
  /** Versions that have it, inclusive; in others it is not written and reads as `otherwise`. */
  readonly since?: number
  readonly until?: number
  readonly otherwise?: Out
  /** Its number among the tagged fields of a flexible struct. */
  readonly tag?: number
}
export type OutOf<F> = F extends { read(from: Reader, at: At): infer Out } ? Out : never
export type InOf<F> = F extends { write(to: Writer, value: infer In, at: At): void } ? In : never

/** A field that may be left out when writing, and then has this value. */
export const optional = <Out, In>(
  inner: Field<Out, In>,
  otherwise: Out & In,
): Field<Out, In | undefined> => ({
  read: (from, at) => inner.read(from, at),
  write: (to, value, at) => inner.write(to, value === undefined ? otherwise : value, at),
  otherwise,
})
/** Present from a version on. */
export const since = <Out, In>(
  version: number,
  inner: Field<Out, In>,
  otherwise: Out & In,
): Field<Out, In | undefined> => ({ ...optional(inner, otherwise), since: version })
/** Present up to a version. */
export const until = <Out, In>(
  version: number,
  inner: Field<Out, In>,
  otherwise: Out & In,
): Field<Out, In | undefined> => ({ ...optional(inner, otherwise), until: version })
/** Present from the first to the last version, both included. */
export const between = <Out, In>(
  first: number,
  last: number,
  inner: Field<Out, In>,
  otherwise: Out & In,
): Field<Out, In | undefined> => ({ ...optional(inner, otherwise), since: first, until: last })
/** A tagged field of the flexible form; undefined when absent. */
export const tagged = <Out, In>(
  tag: number,
  inner: Field<Out, In>,
  version = 0,
): Field<Out | undefined, In | undefined> => ({
  read: (from, at) => inner.read(from, at),
  write: (to, value, at) => {
    if (value !== undefined) inner.write(to, value, at)
  },
  since: version,
  tag,
})

type Shape = Readonly<Record<string, Field<unknown, never>>>
type OptionalKey<S extends Shape> = {
  [K in keyof S]: undefined extends InOf<S[K]> ? K : never
}[keyof S]
export type StructOut<S extends Shape> = { -readonly [K in keyof S]: OutOf<S[K]> }
export type StructIn<S extends Shape> = { readonly [K in Exclude<keyof S, OptionalKey<S>>]: InOf<S[K]> } & {
  readonly [K in OptionalKey<S>]?: InOf<S[K]>
}

type Loose = Field<unknown, unknown>
const present = (f: Loose, at: At): boolean =>
  at.version >= (f.since ?? 0) && at.version <= (f.until ?? 0x7fff)

/** Fields in their order; in the flexible form the tagged ones follow, and tags that are not known are skipped. */
export const struct = <S extends Shape>(shape: S): Field<StructOut<S>, StructIn<S>> => {
  const all = Object.entries(shape) as unknown as [string, Loose][]
  const plain = all.filter(([, f]) => f.tag === undefined)
  const tags = all.filter(([, f]) => f.tag !== undefined).sort(([, a], [, b]) => (a.tag ?? 0) - (b.tag ?? 0))
  return {
    read(from, at) {
      const value: Record<string, unknown> = {}
      for (const [name, f] of plain) value[name] = present(f, at) ? f.read(from, at) : f.otherwise
      for (const [name] of tags) value[name] = undefined
      if (at.flexible) readTags(from, at, tags, value)
      return value as StructOut<S>
    },
    write(to, value, at) {
      const given = value as Record<string, unknown>
      for (const [name, f] of plain) if (present(f, at)) f.write(to, given[name], at)
      if (at.flexible) writeTags(to, at, tags, given)
    },
  }
}

const readTags = (from: Reader, at: At, tags: [string, Loose][], value: Record<string, unknown>): void => {
  for (let left = from.unsignedVarint(); left > 0; left--) {
    const tag = from.unsignedVarint()
    const bytes = from.unsignedVarint()
    const end = from.position + bytes
    const known = tags.find(([, f]) => f.tag === tag && present(f, at))
    if (known) value[known[0]] = known[1].read(from, at)
    if (from.position > end)
      throw from.fail(`tag ${tag} reaches ${from.position - end} bytes past its length`)
    from.raw(end - from.position)
  }
}

const writeTags = (to: Writer, at: At, tags: [string, Loose][], given: Record<string, unknown>): void => {
  const filled = tags.filter(([name, f]) => given[name] !== undefined && present(f, at))
  to.unsignedVarint(filled.length)
  for (const [name, f] of filled) {
    const inner = new Writer()
    f.write(inner, given[name], at)
    to.unsignedVarint(f.tag ?? 0).unsignedVarint(inner.length)
    for (const piece of inner.finish()) to.splice(piece)
  }
}
