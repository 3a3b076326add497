/** One login module of a JAAS configuration: the last part of its class's name, and its options. */
export type LoginModule = { name: string; options: ReadonlyMap<string, string> }

const TOKEN =
  /\s+|\/\/[^\n]*|\/\*[\s\S]*?\*\/|"(?<double>(?:\\.|[^"\\])*)"|'(?<single>(?:\\.|[^'\\])*)'|(?<word>[\w$.-]+)|(?<mark>[=;])/y
const ESCAPES: Record<string, string> = { n: '\n', t: '\t', r: '\r', b: '\b', f: '\f' }

type Token = { text: string; mark: boolean }

const tokensOf = (text: string): Token[] => {
  const tokens: Token[] = []
  for (TOKEN.lastIndex = 0; TOKEN.lastIndex < text.length; ) {
    const at = TOKEN.lastIndex
    const { double, single, word, mark } = TOKEN.exec(text)?.groups ?? {}
    if (TOKEN.lastIndex === 0) throw new Error(`it can't be read from character ${at + 1} on`)
    const quoted = double ?? single
    if (quoted !== undefined) {
      const plain = quoted.replace(/\\(.)/gs, (_all, char: string) => ESCAPES[char] ?? char)
      tokens.push({ text: plain, mark: false })
    } else if (word !== undefined) tokens.push({ text: word, mark: false })
    else if (mark !== undefined) tokens.push({ text: mark, mark: true })
  }
  return tokens
}

/**
 * `class required name="value" ...;` as Kafka reads `sasl.jaas.config`: one module. Throws an Error that says what is
 * wrong and shows no part of the text, which holds a password.
 */
export const parseJaas = (text: string): LoginModule => {
  const tokens = tokensOf(text)
  const [module, flag] = tokens
  if (!module || module.mark) throw new Error('it does not begin with the class of a login module')
  if (!/^(required|requisite|sufficient|optional)$/i.test(flag?.text ?? '')) {
    throw new Error("the class is not followed by 'required'")
  }
  const options = new Map<string, string>()
  let at = 2
  for (; tokens[at] && tokens[at]?.text !== ';'; at += 3) {
    const [name, equals, value] = tokens.slice(at, at + 3)
    if (!name || name.mark || equals?.text !== '=' || !equals.mark || !value || value.mark) {
      throw new Error(`option ${options.size + 1} is not name="value"`)
    }
    options.set(name.text, value.text)
  }
  if (!tokens[at]) throw new Error("it does not end with ';'")
  if (tokens.length > at + 1) throw new Error('it holds more than one login module')
  return { name: module.text.split('.').at(-1) ?? '', options }
}
