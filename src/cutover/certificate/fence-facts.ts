import type { FenceProof } from '../fence-port.ts'
import type { Certificate } from './shape.ts'

const iso = (ms: number): string => new Date(ms).toISOString()

/** The proof of the fence as a certificate tells it: what was asked, what the answer was, and what could not be asked. */
export const fenceOf = (proof: FenceProof): Certificate['fence'] => {
  const { driver, windowMs, sweeps, partitions, fromMs, toMs, evidence, ends, producers, transactions } =
    proof
  const never = { asked: false, text: 'was not asked' }
  return {
    ...{ driver, windowMs: Math.round(windowMs), sweeps, partitions, evidence: [...evidence] },
    ...{ from: iso(fromMs), to: iso(toMs) },
    ends: ends
      ? {
          asked: true,
          text: `${ends.api}; high watermark ${ends.hwIsLeo ? 'is' : 'IS NOT'} the log end everywhere`,
        }
      : never,
    producers: !producers
      ? never
      : producers.asked
        ? {
            asked: true,
            text: `${producers.known} known, no sequence moved${producers.lastMs === undefined ? '' : `, the last one wrote at ${iso(producers.lastMs)}`}`,
          }
        : { asked: false, text: producers.why },
    transactions: !transactions
      ? never
      : transactions.asked
        ? { asked: true, text: 'none open' }
        : { asked: false, text: transactions.why },
  }
}
