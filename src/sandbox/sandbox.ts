import { mkdir, rm, rmdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { anySignal, KmigError } from '../kit/index.ts'
import { Addresses } from './addresses.ts'
import type { SandboxCluster } from './cluster.ts'
import { JvmProvider } from './jvm.ts'
import type { SandboxEvent, SandboxOptions } from './options.ts'
import type { Provider } from './provider.ts'
import { Slot } from './slot.ts'
import { complete, type Spec } from './spec.ts'

/** One run's throw-away clusters: they share a slot of addresses, a state directory and an end. */
export class Sandbox implements AsyncDisposable {
  /** All state: configurations, data, logs, pids. */
  readonly directory: string
  #slot: Slot
  #provider: Provider
  #stop = new AbortController()
  #signal: AbortSignal
  #on: (event: SandboxEvent) => void
  #clusters: Promise<SandboxCluster>[] = []
  #next = 0
  #keep = false
  private constructor(slot: Slot, directory: string, options: SandboxOptions) {
    this.directory = directory
    this.#slot = slot
    this.#signal = anySignal(options.signal, this.#stop.signal)
    this.#on = options.on ?? (() => {})
    this.#provider = new JvmProvider(options)
  }

  /** Whether these clusters could be started here. Throws NO_PROVIDER, naming what to install. */
  static async check(specs: readonly Spec[], options: SandboxOptions): Promise<void> {
    const provider = new JvmProvider(options)
    const signal = options.signal ?? new AbortController().signal
    for (const spec of specs) await provider.check(complete(spec), signal)
    await using _ = await Slot.take()
  }

  /** Takes a slot and makes the state directory; starts nothing yet. Throws NO_PROVIDER. */
  static async open(options: SandboxOptions): Promise<Sandbox> {
    const slot = await Slot.take()
    const stamp = new Date().toISOString().replace(/[-:]|\..*/g, '')
    const directory = join(options.root, '.kmig', 'sandbox', `${stamp}-${process.pid}-${slot.number}`)
    const make = () => mkdir(directory, { recursive: true, mode: 0o700 })
    await make().catch(make) // another sandbox may have removed an empty parent in between
    return new Sandbox(slot, directory, options)
  }

  /**
   * Starts a cluster; several may be started at once. Clusters are numbered in the order of the calls, which is the
   * third part of their addresses. Throws NO_PROVIDER (what to install), SANDBOX (a server ended or never answered),
   * USAGE (a spec that contradicts itself).
   */
  async start(spec: Spec): Promise<SandboxCluster> {
    const cluster = this.#start(spec)
    this.#clusters.push(cluster)
    return await cluster
  }

  async #start(spec: Spec): Promise<SandboxCluster> {
    const full = complete(spec)
    const number = this.#next++
    if (number > 255) throw new KmigError('USAGE', 'a sandbox has room for 256 clusters')
    const directory = join(this.directory, `cluster-${number}`)
    try {
      await mkdir(directory)
      await writeFile(join(directory, 'spec.json'), `${JSON.stringify(full, undefined, 2)}\n`)
      const addresses = new Addresses(this.#slot.number, number)
      return await this.#provider.start({ spec: full, addresses, directory }, this.#signal)
    } catch (e) {
      if (!this.#signal.aborted) this.keep()
      throw e
    }
  }

  /** Leaves the state directory where it is when the sandbox ends; for a run that failed. */
  keep(): void {
    this.#keep = true
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort() // what is still starting ends itself
    for (const start of await Promise.allSettled(this.#clusters)) {
      if (start.status === 'fulfilled') await start.value[Symbol.asyncDispose]()
    }
    if (this.#keep) this.#on({ kind: 'kept', directory: this.directory })
    else await removeState(this.directory)
    await this.#slot[Symbol.asyncDispose]()
  }
}

/** Removes the directory, then its two parents if nothing else is in them. */
const removeState = async (directory: string): Promise<void> => {
  await rm(directory, { recursive: true, force: true })
  const parent = dirname(directory)
  for (const path of [parent, dirname(parent)]) await rmdir(path).catch(() => {})
}
