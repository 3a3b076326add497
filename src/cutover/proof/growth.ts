import type { ProducerState } from '../../kafka/index.ts'
import { formatDuration, KmigError, plural } from '../../kit/index.ts'
import type { grown } from '../still.ts'
import type { Written } from './sight.ts'

export type Growth = ReturnType<typeof grown>[number]
/** A partition that grew, and by whom. */
export type Found = Growth & { written: Written }

const SHOWN = 5
const NOBODY = -1n

export const growthText = (
  found: readonly Found[],
  producers: ReadonlyMap<string, readonly ProducerState[]> | undefined,
  wallMs: number,
): string => {
  const shown = found.slice(0, SHOWN).map(({ where, from, to, written }) => {
    const known = producers?.get(where) ?? []
    const who = [...written.data].map(([id, { records, epoch }]) =>
      id === NOBODY
        ? `${plural(records, 'record')} of producers without an id (not idempotent: no broker knows who)`
        : `${plural(records, 'record')} of producer ${id} epoch ${epoch}${lastText(known, id, wallMs)}`,
    )
    const by = who.length > 0 ? `: ${who.join(', ')}` : ''
    return `${where}: ${from} -> ${to} (${to > from ? '+' : ''}${to - from})${by}`
  })
  const more = found.length > SHOWN ? [`and ${found.length - SHOWN} more partitions`] : []
  return [...shown, ...more].join('; ')
}

const lastText = (known: readonly ProducerState[], id: bigint, wallMs: number): string => {
  const last = known.find(({ producerId }) => producerId === id)
  if (!last) return ''
  const ago = last.lastMs > 0 ? `, last wrote ${formatDuration(Math.max(0, wallMs - last.lastMs))} ago` : ''
  return `, sequence ${last.lastSequence}${ago}`
}

/** Records a second of all that grew. */
export const rateText = (found: readonly Growth[], ms: number): string => {
  const records = found.reduce((sum, { from, to }) => sum + to - from, 0n)
  return ms > 0 ? `, ${(Number(records) / (ms / 1_000)).toFixed(1)}/s` : ''
}

export const stillWritten = (message: string): KmigError =>
  new KmigError('STILL_WRITTEN', message, {
    try: [
      'stop every writer of these topics, then run the same command again',
      'see who writes: topic, partition and producer are above; hosts are known to your fence hook alone',
    ],
  })

/** A log end that went back: an election without replicas in sync has lost records. Throws SOURCE_TRUNCATED. */
export const refuseShrunk = (found: readonly Growth[]): void => {
  const shrunk = found.filter(({ from, to }) => to < from)
  if (shrunk.length === 0) return
  const text = shrunk.slice(0, SHOWN).map(({ where, from, to }) => `${where}: ${from} -> ${to}`)
  throw new KmigError('SOURCE_TRUNCATED', `log ends went back while nobody wrote: ${text.join(', ')}`, {
    try: ['see the brokers’ logs: an unclean election has lost acknowledged records'],
  })
}
