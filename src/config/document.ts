import { createRequire } from 'node:module'
import type { Node } from 'yaml'
import * as z from 'zod'
import { KmigError } from '../kit/index.ts'

/** Loaded when there is a kmig.yaml to read: where addresses are given, its 72 modules are not needed. */
const yamlLibrary = (): typeof import('yaml') => createRequire(import.meta.url)('yaml')

const text = z.string().min(1)
const cluster = z.strictObject({
  /** Brokers: a list of host:port, or one string with commas. */
  bootstrap: z.union([text, z.array(text).min(1)]).optional(),
  /** Connect string with chroot. */
  zookeeper: text.optional(),
  /** File of a ZooKeeper client's properties or credentials, relative to kmig.yaml. */
  zookeeperProperties: text.optional(),
  /** A Kafka client's .properties file, relative to kmig.yaml. */
  properties: text.optional(),
})
const document = z.strictObject({ clusters: z.record(text, cluster) })

/** kmig.yaml as it is written. */
export type Document = z.infer<typeof document>
type Finding = { at: number; what: string }

/** Reads kmig.yaml's text. CONFIG_INVALID lists each fault as file:line:column. */
export const parseConfig = (file: string, source: string): Document => {
  const { LineCounter, parseDocument } = yamlLibrary()
  const lines = new LineCounter()
  const yaml = parseDocument(source, { lineCounter: lines, prettyErrors: false })
  const refuse = (findings: Finding[]): KmigError => {
    const told = findings.map(({ at, what }) => {
      const { line, col } = lines.linePos(at)
      return `${file}:${line}:${col}: ${what}`
    })
    return new KmigError('CONFIG_INVALID', told.join('\n'), {
      try: ['correct the file; docs/config.md shows a full one'],
    })
  }
  const broken = yaml.errors.map(e => ({ at: e.pos[0], what: e.message }))
  if (broken.length > 0) throw refuse(broken)
  const checked = document.safeParse(yaml.toJS())
  if (checked.success) return checked.data
  throw refuse(
    checked.error.issues.flatMap(issue => {
      const path = issue.path.map(String)
      const name = path.join('.')
      if (issue.code !== 'unrecognized_keys') {
        return { at: startOf(yaml.contents, path), what: `${name || 'the file'}: ${issue.message}` }
      }
      return issue.keys.map(key => ({
        at: keyOf(yaml.contents, [...path, key]),
        what: `${name || 'the file'}: unknown key '${key}'`,
      }))
    }),
  )
}

/** Where the value at a path begins, or the nearest thing above it. */
const startOf = (root: Node | null, path: string[]): number => {
  const { isMap } = yamlLibrary()
  let node = root
  for (const step of path) {
    const next = isMap(node) ? node.get(step, true) : undefined
    if (!next) break
    node = next as Node
  }
  return node?.range?.[0] ?? 0
}

const keyOf = (root: Node | null, path: string[]): number => {
  const { isMap, isScalar } = yamlLibrary()
  let node: unknown = root
  for (const step of path.slice(0, -1)) node = isMap(node) ? node.get(step, true) : undefined
  const pair = isMap(node)
    ? node.items.find(({ key }) => isScalar(key) && key.value === path.at(-1))
    : undefined
  return isScalar(pair?.key) ? (pair.key.range?.[0] ?? 0) : startOf(root, path)
}
