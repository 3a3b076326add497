import { type Answer, CODE, joinPath, must } from '../zookeeper/index.ts'
import type { Side } from './look.ts'
import type { Node } from './tree-reader.ts'

/** One side's Kafka metadata; paths are below the root, and what is not there is undefined. */
export class KafkaSide {
  readonly #side: Side
  constructor(side: Side) {
    this.#side = side
  }

  async nodes(paths: readonly string[]): Promise<(Node | undefined)[]> {
    const { reader, root } = this.#side
    const found: (Node | undefined)[] = []
    for (const some of reader.parts(paths)) {
      const answers = await reader.data(some.map(path => joinPath(root, path)))
      for (const [j, answer] of answers.entries()) found.push(present(answer, some[j] as string))
    }
    return found
  }
  async node(path: string): Promise<Node | undefined> {
    return (await this.nodes([path]))[0]
  }
  async text(path: string): Promise<string | undefined> {
    return (await this.node(path))?.data?.toString()
  }

  async children(paths: readonly string[]): Promise<(string[] | undefined)[]> {
    const { reader, root } = this.#side
    const counts = (await this.nodes(paths)).map(node => node?.stat.numChildren ?? 0)
    const answers = await reader.children(
      paths.map(path => joinPath(root, path)),
      counts,
    )
    return answers.map((answer, i) => present(answer, paths[i] as string))
  }
  /** Empty if there is no such znode. */
  async names(path: string): Promise<string[]> {
    return (await this.children([path]))[0] ?? []
  }

  async clusterId(): Promise<string | undefined> {
    const text = await this.text('/cluster/id')
    return text === undefined ? undefined : field(text, 'id')
  }
  /** Ids under which brokers are registered now. */
  async liveBrokers(): Promise<string[]> {
    const ids = await this.names('/brokers/ids')
    const nodes = await this.nodes(ids.map(id => `/brokers/ids/${id}`))
    return ids.filter((_, i) => nodes[i]?.stat.ephemeral)
  }
}

const present = <T>(answer: Answer<T>, path: string): T | undefined =>
  answer.code === CODE.NoNode ? undefined : must(answer, `read ${path} of Kafka`)

/** A field of a JSON object as text; undefined if it is none. */
export const field = (json: string, name: string): string | undefined => {
  try {
    const value = (JSON.parse(json) as Record<string, unknown>)[name]
    return value === undefined || value === null ? undefined : String(value)
  } catch {
    return undefined
  }
}
