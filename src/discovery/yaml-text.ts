import { isMap, isScalar, type ParsedNode, parseAllDocuments, Scalar } from 'yaml'
import { messageOf } from '../kit/index.ts'

export const VERSIONS = ['1.1', '1.2'] as const
export type YamlVersion = (typeof VERSIONS)[number]

/** All documents of a text, read for positions and checks only: `yaml` never prints for us. Source: DISCOVERY.md 4. */
export const parseYaml = (text: string, version: YamlVersion) => {
  const documents = parseAllDocuments<ParsedNode>(text, {
    version,
    merge: true,
    keepSourceTokens: true,
    prettyErrors: false,
    logLevel: 'silent',
  })
  return Array.isArray(documents) ? documents : []
}

/** Keys keep their type and no name is special: `__proto__` is a key like others. */
export type Model = Map<unknown, unknown>

/** What readers get from a text under one version; undefined when it is not one map without errors. */
export const modelOf = (text: string, version: YamlVersion): Model | undefined => {
  const documents = parseYaml(text, version)
  const [document] = documents
  if (documents.length !== 1 || !document || document.errors.length > 0 || !isMap(document.contents))
    return undefined
  return document.toJS({ mapAsMap: true }) as Model
}

/** What keeps a text that parses from becoming values: a merge of what is no mapping, aliases that multiply. */
export const whyNoModel = (text: string): string | undefined => {
  try {
    for (const version of VERSIONS) modelOf(text, version)
    return undefined
  } catch (e) {
    return messageOf(e)
  }
}

// What PyYAML makes of a plain scalar where `yaml` under 1.1 says string. Source: PyYAML resolver.py (forms, not text).
const PYYAML_ONLY = [
  /^(?:=|<<)$/,
  /^[-+]?[1-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?$/,
  /^[-+]?(?:0b[01_]+|0x[0-9a-fA-F_]+|0[0-7_]+|[1-9][0-9_]*)$/,
  /^[-+]?(?:[0-9][0-9_]*)?\.[0-9_]*(?:[eE][-+][0-9]+)?$/,
  /^\d{4}-\d\d?-\d\d?(?:[Tt ].*)?$/,
]

/** Whether a text, written plain in block context, is that very string to every reader. */
export const readsAsItself = (text: string): boolean =>
  !PYYAML_ONLY.some(form => form.test(text)) &&
  VERSIONS.every(version => {
    const documents = parseYaml(text, version)
    const [document] = documents
    const node = document?.contents
    return (
      documents.length === 1 &&
      document?.errors.length === 0 &&
      isScalar(node) &&
      node.type === Scalar.PLAIN &&
      node.value === text
    )
  })

/** Whether a scalar is a string to every reader: quoted and block scalars are, a plain one if it reads as itself. */
export const isStringToAll = (node: unknown): node is Scalar.Parsed & { value: string } =>
  isScalar(node) &&
  typeof node.value === 'string' &&
  (node.type !== Scalar.PLAIN || readsAsItself(node.value))
