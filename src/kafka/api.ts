import type { Field } from '../wire/index.ts'

/**
 * One API of the protocol: its key, the versions that kmig speaks, from which one on it is flexible (KIP-482), and the
 * layout of both directions. `Q` is what a caller gives, `S` what it gets.
 * Source: org.apache.kafka.common.protocol.ApiKeys and the message definitions of Kafka's clients.
 */
export type Api<Q, S> = {
  readonly name: string
  readonly key: number
  readonly versions: readonly [min: number, max: number]
  readonly flexibleFrom: number
  readonly request: Field<unknown, Q>
  readonly response: Field<S, never>
}
/** The table behind an Api, with the directions that only a server uses (fakes and golden bytes in tests). */
export type ApiTable<QOut, QIn, SOut, SIn> = Omit<Api<QIn, SOut>, 'request' | 'response'> & {
  readonly request: Field<QOut, QIn>
  readonly response: Field<SOut, SIn>
}
export type RequestOf<A> = A extends Api<infer Q, unknown> ? Q : never
export type ResponseOf<A> = A extends { readonly response: Field<infer S, never> } ? S : never

export const api = <QOut, QIn, SOut, SIn>(
  table: ApiTable<QOut, QIn, SOut, SIn>,
): ApiTable<QOut, QIn, SOut, SIn> => table
