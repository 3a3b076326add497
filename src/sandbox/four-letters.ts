import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { PORTS } from './addresses.ts'

/** Answer of a ZooKeeper to a four-letter word. Source: ZooKeeper's administrator guide, "Four Letter Words". */
export const fourLetters = async (
  word: 'srvr' | 'dump',
  host: string,
  signal: AbortSignal,
): Promise<string> => {
  const socket = connect({ host, port: PORTS.zookeeper, signal })
  socket.end(word)
  return await text(socket)
}
