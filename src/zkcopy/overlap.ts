import { type HostPort, KmigError, parseHostPort } from '../kit/index.ts'
import { acceptsSession, formatConnectString, isWithin, ZkSession } from '../zookeeper/index.ts'
import type { End, OpenOptions } from './ensembles.ts'

type Options = Pick<OpenOptions, 'signal' | 'withinMs'>
/**
 * One round may be wrong: against two ensembles, where the other's own session of that id ends just between two questions;
 * and against one, where a server does not answer in time. The second is the one that must not happen.
 */
const SURE = { shared: 2, apart: 3 }

/**
 * Refuses roots of which one lies in the other on the same ensemble. Names prove nothing, as an ensemble has many
 * addresses, and what the znodes are proves nothing either, as one ensemble may be made from a snapshot of the other.
 * Throws ZK_OVERLAP.
 */
export const refuseOverlap = async (from: End, to: End, options: Options): Promise<void> => {
  if (!isWithin(from.chroot, to.chroot) && !isWithin(to.chroot, from.chroot)) return
  const rounds = { shared: 0, apart: 0 }
  while (rounds.shared < SURE.shared) {
    rounds[(await shareSessions(from, to, options)) ? 'shared' : 'apart']++
    if (rounds.apart === SURE.apart) return
  }
  const [a, b] = [formatConnectString(from), formatConnectString(to)]
  const how =
    from.chroot === to.chroot
      ? `are both ${from.chroot} of the same ensemble`
      : 'lie one in the other on the same ensemble'
  throw new KmigError('ZK_OVERLAP', `source ${a} and target ${b} ${how}`, {
    try: ['give a target on another ensemble, or a root that neither holds nor lies in the source'],
  })
}

/**
 * Whether a server of the target takes a session that was begun at the source, and no longer once it was ended there.
 * That it takes it is not enough: ids of sessions count from the ms of a server's start, and passwords are made of ids,
 * so servers of two ensembles that started in the same ms take each other's (source:
 * SessionTrackerImpl.initializeNextSessionId, ZooKeeperServer.generatePasswd). A member of the source's ensemble asks the
 * leader, which has forgotten the session by the time that its end is answered. Where that can't be told: true.
 */
const shareSessions = async (
  from: End,
  to: End,
  { signal, withinMs = 10_000 }: Options,
): Promise<boolean> => {
  const probe = await ZkSession.open({ ...from, signal, withinMs })
  const { credentials, address } = probe
  const taking = async (servers: readonly HostPort[]): Promise<HostPort[]> => {
    const ask = { withinMs, tls: to.tls, signal }
    const known = await Promise.all(
      servers.map(server => acceptsSession(server, credentials, ask).catch(() => false)),
    )
    signal.throwIfAborted()
    return servers.filter((_, i) => known[i])
  }
  let members: HostPort[]
  try {
    members = await taking(to.servers)
  } finally {
    await probe.close()
  }
  if (members.length === 0) return false
  const ended = { withinMs, tls: from.tls, signal }
  if (await acceptsSession(parseHostPort(address), credentials, ended).catch(() => true)) return true
  return (await taking(members)).length < members.length
}
