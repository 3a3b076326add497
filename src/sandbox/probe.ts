import { connect } from 'node:net'
import { PORTS } from './addresses.ts'

const request = (api: number, version: number, body: Buffer): Buffer => {
  const frame = Buffer.alloc(14)
  frame.writeInt32BE(10 + body.length, 0)
  frame.writeInt16BE(api, 4)
  frame.writeInt16BE(version, 6)
  frame.writeInt16BE(-1, 12)
  return Buffer.concat([frame, body])
}

const exchange = async (host: string, bytes: Buffer, signal: AbortSignal): Promise<Buffer> => {
  const socket = connect({ host, port: PORTS.plaintext, signal })
  socket.write(bytes)
  const chunks: Buffer[] = []
  for await (const chunk of socket) {
    chunks.push(chunk)
    const all = Buffer.concat(chunks)
    if (all.length >= 4 && all.length >= 4 + all.readInt32BE(0)) return all.subarray(8)
  }
  throw new Error('it closed the connection')
}

/** Brokers and controller that a broker knows. Source: ApiVersions v0, Metadata v1. */
export const probe = async (
  host: string,
  signal: AbortSignal,
): Promise<{ brokers: number[]; controller: number }> => {
  const versions = await exchange(host, request(18, 0, Buffer.alloc(0)), signal)
  if (versions.readInt16BE(0) !== 0) throw new Error(`ApiVersions ended with ${versions.readInt16BE(0)}`)
  const metadata = await exchange(host, request(3, 1, Buffer.alloc(4)), signal)
  const brokers: number[] = []
  let at = 4
  const skipText = () => {
    at += 2 + Math.max(0, metadata.readInt16BE(at))
  }
  for (let n = metadata.readInt32BE(0); n > 0; n--) {
    brokers.push(metadata.readInt32BE(at))
    at += 4
    skipText()
    at += 4
    skipText()
  }
  return { brokers, controller: metadata.readInt32BE(at) }
}
