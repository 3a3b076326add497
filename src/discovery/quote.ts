import { Scalar } from 'yaml'
import { readsAsItself } from './yaml-text.ts'

/** How a string stands in a file: the style of the scalar it replaces, and whether it is inside brackets or braces. */
export type Place = { type: Scalar.Type | undefined; flow: boolean }

/**
 * A string as YAML: quotes stay, a plain value stays plain outside flow if every reader takes it for itself,
 * everything else (a block scalar too) is double-quoted. Values hold only host, port, comma and chroot characters,
 * so that no escape arises. Source: DISCOVERY.md 5.
 */
export const quote = (text: string, { type, flow }: Place): string => {
  if (type === Scalar.QUOTE_SINGLE) return `'${text}'`
  if (type === Scalar.PLAIN && !flow && readsAsItself(text)) return text
  return `"${text}"`
}
