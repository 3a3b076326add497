/** What a cluster was seen to refuse as the value of a setting, by its own words. */
export type SettingLimits = {
  least: Map<string, bigint>
  most: Map<string, bigint>
  /** Why it does not take a value, by `name=value`. */
  refused: Map<string, string>
}
export const noLimits = (): SettingLimits => ({ least: new Map(), most: new Map(), refused: new Map() })

/** Least values that came with Kafka 4.0. Source: KIP-1030. */
const SINCE_4 = new Map([['segment.bytes', 1_048_576n]])
/** What the settings of a copy show of the limits that it was made by: a value raised to one of these. */
export const limitsSeenIn = (copy: readonly { name: string; value: string | null }[]): SettingLimits => {
  const seen = (name: string, least: bigint) =>
    copy.some(each => each.name === name && each.value === String(least))
  return { ...noLimits(), least: new Map([...SINCE_4].filter(([name, least]) => seen(name, least))) }
}

const whole = (text: string): bigint | undefined => (/^-?\d+$/.test(text) ? BigInt(text) : undefined)

/** What becomes of a value: undefined if it is taken as it is. */
export const fitting = (
  { least, most, refused }: SettingLimits,
  name: string,
  value: string,
): { value: string | undefined; why: string } | undefined => {
  const why = refused.get(`${name}=${value}`)
  if (why !== undefined) return { value: undefined, why: `the target refuses it: ${why}` }
  const number = whole(value)
  const [low, high] = [least.get(name), most.get(name)]
  if (number === undefined) return undefined
  if (low !== undefined && number < low)
    return { value: String(low), why: `the target takes ${low} at least, so it gets ${low}` }
  if (high !== undefined && number > high)
    return { value: String(high), why: `the target takes ${high} at most, so it gets ${high}` }
  return undefined
}

// Source: ConfigDef.Range, ConfigException, LogConfig.validateNames
const INVALID = /Invalid value (?:.*) for configuration ([\w.]+): (.*)/s
const BOUND = /^Value must be (at least|no more than) (-?\d+)/
const UNKNOWN = /Unknown topic config name: ([\w.-]+)/

/**
 * Takes in what a broker said of settings that it was asked to take. False if that names no setting, or nothing that was
 * not known: asking again would bring the same.
 */
export const learnLimit = (
  limits: SettingLimits,
  asked: Readonly<Record<string, string>>,
  text: string,
): boolean => {
  const [, named, said = ''] = INVALID.exec(text) ?? []
  const name = named ?? UNKNOWN.exec(text)?.[1]
  const value = name === undefined ? undefined : asked[name]
  if (name === undefined || value === undefined) return false
  const before = fitting(limits, name, value)
  const [, which, bound = ''] = BOUND.exec(said) ?? []
  if (which === 'at least') limits.least.set(name, BigInt(bound))
  if (which === 'no more than') limits.most.set(name, BigInt(bound))
  if (fitting(limits, name, value)?.value === before?.value)
    limits.refused.set(`${name}=${value}`, said || 'it does not know this setting')
  return fitting(limits, name, value)?.value !== before?.value || before === undefined
}
