import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import * as z from 'zod'
import { KmigError, messageOf, writeFileAtomic } from '../../kit/index.ts'
import type { VerifyReport } from '../../verify/index.ts'

const big = z.string().regex(/^\d+$/).transform(BigInt)
const count = z.int().nonnegative()
const digest = z.object({
  by: z.enum(['offset', 'ordinal', 'key']),
  from: big,
  to: big,
  records: count,
  bytes: count,
  sha256: z.string(),
  windows: z.array(z.object({ from: big, to: big, records: count, bytes: count, sha256: z.string() })),
})
const partition = z.object({
  topic: z.string(),
  partition: count,
  how: z.string(),
  old: digest.optional(),
  next: digest.optional(),
  notCompared: z.array(z.object({ side: z.enum(['source', 'target']), from: big, to: big, why: z.string() })),
})
const file = z.object({
  schemaVersion: z.literal(1),
  partitions: z.array(partition),
  differences: z.array(z.string()),
})
/** What a content check has found, with all windows: kept beside the journal, as it may be long. */
export type Contents = z.output<typeof file>
export type ContentsOf = Contents['partitions'][number]

export type Part = 'base' | 'delta'
const pathOf = (directory: string, part: Part): string => join(directory, `contents-${part}.json`)

export const contentsOf = ({ partitions }: VerifyReport, differences: string[]): Contents => ({
  schemaVersion: 1,
  differences,
  partitions: partitions.map(({ topic, partition, how, digestOld, digestNew, notCompared }) => ({
    ...{ topic, partition, how, notCompared },
    ...(digestOld && { old: digestOld }),
    ...(digestNew && { next: digestNew }),
  })),
})

export const keepContents = async (directory: string, part: Part, contents: Contents): Promise<void> => {
  const text = JSON.stringify(contents, (_, v: unknown) => (typeof v === 'bigint' ? String(v) : v))
  await writeFileAtomic(pathOf(directory, part), `${text}\n`)
}

/** undefined: it was not made. Throws STATE_DAMAGED. */
export const keptContents = (directory: string, part: Part): Contents | undefined => {
  const path = pathOf(directory, part)
  if (!existsSync(path)) return undefined
  try {
    return file.parse(JSON.parse(readFileSync(path, 'utf8')))
  } catch (cause) {
    const why = cause instanceof z.ZodError ? z.prettifyError(cause) : messageOf(cause)
    throw new KmigError('STATE_DAMAGED', `${path} is not what kmig cutover wrote: ${why}`, { cause })
  }
}
