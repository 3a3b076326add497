/** Text that is markup already. */
export type Html = { readonly html: string }
type Part = string | number | bigint | undefined | Html | readonly Html[]

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}
const escaped = (text: string): string => text.replaceAll(/[&<>"']/g, each => ESCAPES[each] ?? '')

const textOf = (part: Part): string => {
  if (part === undefined) return ''
  if (typeof part !== 'object') return escaped(String(part))
  return 'html' in part ? part.html : part.map(({ html }) => html).join('')
}

/** A piece of a page: whatever is put in is text, but for other pieces. */
export const html = (strings: TemplateStringsArray, ...parts: Part[]): Html => ({
  html: strings.reduce((all, text, i) => `${all}${textOf(parts[i - 1])}${text}`),
})
