import { Cluster } from '../kafka/index.ts'
import { KmigError, messageOf, retry } from '../kit/index.ts'
import { PORTS } from './addresses.ts'
import { CHROOT, SESSION_MS } from './configs.ts'
import { fourLetters } from './four-letters.ts'

const STEADY = { firstMs: 50, maxMs: 150 }
/** Long enough for a JVM on a machine that is busy with others. */
export const READY_MS = 60_000

/** Tries `check` until it passes. Throws SANDBOX, with the last reason, after `withinMs`. */
const until = async (what: string, check: () => Promise<void>, signal: AbortSignal, withinMs = READY_MS) => {
  await retry(check, { withinMs, signal, backoff: STEADY, retriable: () => true }).catch((cause: unknown) => {
    signal.throwIfAborted()
    throw new KmigError('SANDBOX', `${what} was not ready within ${withinMs} ms: ${messageOf(cause)}`, {
      cause,
    })
  })
}

/** For one try. */
const TRY_MS = 2_000
const each = (signal: AbortSignal) => AbortSignal.any([signal, AbortSignal.timeout(TRY_MS)])

/** A ZooKeeper serves: `srvr` tells its mode. An ensemble's node says so only once a leader is there. */
export const zookeeperReady = (host: string, signal: AbortSignal): Promise<void> =>
  until(
    `ZooKeeper at ${host}`,
    async () => {
      const answer = await fourLetters('srvr', host, each(signal))
      if (!/^Mode: /m.test(answer)) throw new Error(answer.trim() || 'it gave no answer')
    },
    signal,
  )

/** A broker serves: it answers ApiVersions, and its Metadata shows a controller and all of `ids`. */
export const brokerReady = (host: string, ids: readonly number[], signal: AbortSignal, withinMs?: number) =>
  until(
    `broker at ${host}`,
    async () => {
      const bootstrap = [{ host, port: PORTS.plaintext }]
      await using cluster = await Cluster.open({ bootstrap, timeoutMs: TRY_MS, signal })
      if (cluster.controllerId < 0) throw new Error('there is no controller')
      const missing = ids.filter(id => !cluster.brokers.has(id))
      if (missing.length) throw new Error(`it does not see brokers ${missing}`)
    },
    signal,
    withinMs,
  )

/**
 * A broker that was killed may come back only after ZooKeeper dropped its session: until then the id is taken and the
 * new process would end itself. Source: kafka.zk.KafkaZkClient, CheckedEphemeral.
 */
export const brokerIdFree = (zookeepers: readonly string[], id: number, signal: AbortSignal): Promise<void> =>
  until(
    `the id of broker ${id}`,
    async () => {
      const ephemerals = await Promise.any(zookeepers.map(host => fourLetters('dump', host, each(signal))))
      if (ephemerals.split(/\s+/).includes(`${CHROOT}/brokers/ids/${id}`))
        throw new Error('its old session lives on')
    },
    signal,
    5 * SESSION_MS,
  )
