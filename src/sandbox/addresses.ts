/** Fixed ports: every node has a loopback address of its own, so none is raced for and a restart keeps it. */
export const PORTS = {
  zookeeper: 2181,
  secureZookeeper: 2182,
  peer: 2888,
  election: 3888,
  controller: 9090,
  plaintext: 9092,
  sasl: 9093,
  tls: 9094,
  saslTls: 9095,
  link: 9192,
} as const

/** Node ids: brokers 1-8, ZooKeeper 9-11. */
export const FIRST_ZOOKEEPER = 9
/** The link before node n has the address of node 100 + n. */
const LINK = 100

/** Addresses of one cluster: `127.<slot>.<cluster>.<node>`. */
export class Addresses {
  readonly slot: number
  readonly cluster: number
  constructor(slot: number, cluster: number) {
    this.slot = slot
    this.cluster = cluster
  }
  host(node: number): string {
    return `127.${this.slot}.${this.cluster}.${node}`
  }
  linkHost(node: number): string {
    return this.host(LINK + node)
  }
}

/** 1..n, or the ZooKeeper ids 9..8+n. */
export const nodeIds = (count: number, first = 1): number[] =>
  Array.from({ length: count }, (_, i) => first + i)
