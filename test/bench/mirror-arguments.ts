import type { Case } from './cases.ts'

export type Arguments = { cases: readonly Case[]; records: number; runs: number; mm2Runs: number }

const NUMBERS = { '--runs': 'runs', '--mm2-runs': 'mm2Runs' } as const

/** `[CASE ...] [RECORDS] [--runs N] [--mm2-runs N]`. Throws on what it does not know: a bench of nothing says nothing. */
export const parse = (args: readonly string[], known: readonly Case[]): Arguments => {
  const found = { records: 1_000_000, runs: 5, mm2Runs: 1 }
  const names = new Set<string>()
  for (let i = 0; i < args.length; i++) {
    const arg = args[i] ?? ''
    if (Object.hasOwn(NUMBERS, arg)) found[NUMBERS[arg as keyof typeof NUMBERS]] = whole(arg, args[++i])
    else if (/^\d+$/.test(arg)) found.records = whole('records', arg)
    else if (known.some(({ topic }) => topic === arg)) names.add(arg)
    else throw new Error(`no case '${arg}'; there are ${known.map(({ topic }) => topic).join(', ')}`)
  }
  if (found.runs < 1 || found.records < 1) throw new Error('at least one run of one record')
  if (names.has('far')) names.add('near') // its local rate
  return { ...found, cases: known.filter(({ topic }) => names.size === 0 || names.has(topic)) }
}

const whole = (what: string, text: string | undefined): number => {
  if (!/^\d+$/.test(text ?? '')) throw new Error(`${what} takes a number, not '${text}'`)
  return Number(text)
}
