import { bug } from '../kit/index.ts'
import { type Addresses, FIRST_ZOOKEEPER, nodeIds, PORTS } from './addresses.ts'
import { clientProperties, type Login } from './client-properties.ts'
import { CHROOT, ensembleOf, render } from './configs.ts'
import type { Credentials } from './credentials.ts'
import type { Link } from './link/link.ts'
import type { Node } from './node.ts'
import { SECURE } from './secured.ts'
import type { FullSpec, ListenerName } from './spec.ts'

/** A running throw-away cluster. Ends with `await using`. */
export class SandboxCluster implements AsyncDisposable {
  readonly spec: FullSpec
  readonly nodes: readonly Node[]
  #at: Addresses
  #links: ReadonlyMap<number, Link>
  /** What its listeners let in. */
  readonly credentials: Credentials
  constructor(
    spec: FullSpec,
    at: Addresses,
    parts: { nodes: readonly Node[]; links: ReadonlyMap<number, Link>; credentials: Credentials },
  ) {
    this.spec = spec
    this.nodes = parts.nodes
    this.#links = parts.links
    this.credentials = parts.credentials
    this.#at = at
  }

  /** `host:port,...` of all brokers. */
  bootstrap(listener: ListenerName = 'plaintext'): string {
    const port = SECURE.find(row => row.listener === listener)?.port ?? PORTS.plaintext
    return nodeIds(this.spec.brokers)
      .map(id =>
        listener === 'link' ? `${this.#at.linkHost(id)}:${PORTS.link}` : `${this.#at.host(id)}:${port}`,
      )
      .join(',')
  }

  /** A client's .properties for one of its listeners; the user is `kmig` with SCRAM-SHA-512 unless asked else. */
  clientProperties(listener: ListenerName, login: Login = {}): string {
    return render(clientProperties(listener, this.credentials, login))
  }

  /** `zookeeper` by way of its port of TLS; the spec's listeners must name `zk-tls`. */
  get secureZookeeper(): string | undefined {
    if (!this.spec.listeners.includes('zk-tls')) return undefined
    return this.zookeeper?.replaceAll(`:${PORTS.zookeeper}`, `:${PORTS.secureZookeeper}`)
  }

  /** Connect string, for kafka-zk with the cluster's chroot; undefined without a ZooKeeper. */
  get zookeeper(): string | undefined {
    return this.#connectString(id => this.#at.host(id))
  }

  /** The same by way of the links. */
  get linkedZookeeper(): string | undefined {
    return this.#connectString(id => this.#at.linkHost(id))
  }

  #connectString(hostOf: (id: number) => string): string | undefined {
    if (this.spec.ensemble === 0) return undefined
    const chroot = this.spec.kind === 'kafka-zk' ? CHROOT : ''
    return `${ensembleOf(this.spec.ensemble, hostOf)}${chroot}`
  }

  /** Brokers are 1-3, ZooKeeper nodes 9-11. */
  node(id: number): Node {
    const node = this.nodes.find(n => n.id === id)
    if (!node)
      throw bug(`no node ${id}; there are ${this.nodes.map(n => n.id)} (ZooKeeper from ${FIRST_ZOOKEEPER})`)
    return node
  }

  /** The proxy before a node; the spec's listeners must name `link`. Clients pass it by `bootstrap('link')`. */
  link(id: number): Link {
    const link = this.#links.get(id)
    if (!link) throw bug(`no link before node ${id}; there are ${[...this.#links.keys()]}`)
    return link
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const end = (parts: Iterable<AsyncDisposable>) =>
      Promise.all([...parts].map(p => p[Symbol.asyncDispose]()))
    await end(this.nodes.filter(node => node.role === 'broker')) // a broker without its ZooKeeper does not end in peace
    await end(this.nodes)
    await end(this.#links.values())
  }
}
