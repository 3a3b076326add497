import * as z from 'zod'
import type { PostflightRow } from './kafka-postflight.ts'

export type KafkaReport = {
  warnings: string[]
  /** Null when brokers may still run on the source: then it proves nothing. */
  postflight: PostflightRow[] | null
}

export const kafkaShape = z.strictObject({
  warnings: z.array(z.string()).describe('what a broker on the copy goes on with'),
  postflight: z
    .array(z.strictObject({ check: z.string(), source: z.string(), target: z.string(), ok: z.boolean() }))
    .nullable()
    .describe('what brokers need, as both sides have it; null with --live'),
})

export const kafkaText = ({ warnings, postflight }: KafkaReport): string[] => [
  ...warnings,
  ...(postflight
    ? postflight.map(
        ({ check, source, target, ok }) =>
          `${ok ? 'ok ' : 'NO '} ${check}: ${source === target ? source : `${source} on the source, ${target} on the target`}`,
      )
    : [
        'the bulk only: stop the brokers and run again without --live before any broker starts on the target',
      ]),
]
