import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { chmod } from 'node:fs/promises'
import { createConnection, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isKmigError, KmigError, messageOf, writeFileAtomic } from '../kit/index.ts'
import type { ReadersAwaited } from './events.ts'

/** What a live runner is told. `yield`: end, so that another command drives the run. */
export const ORDERS = ['status', 'go', 'pause', 'abort', 'yield'] as const
export type Order = (typeof ORDERS)[number]

/** How a runner stands, beside what its journal tells. */
export type LiveStatus = {
  pid: number
  gate: string | undefined
  lag: string | undefined
  /** Groups that move first, and were waited for when they were looked at last. */
  readers: readonly ReadersAwaited[]
}

export type Answer =
  | { ok: true; status: LiveStatus }
  | { ok: false; code: 'WRONG_STATE' | 'BUG'; why: string }
export type Control = { [order in Order]: () => Promise<LiveStatus> }

/** Sockets have short names: 108 bytes on Linux, 104 elsewhere. */
const LONGEST = 100
const WAIT_MS = 30_000
const fileOf = (directory: string): string => join(directory, 'control')

/** Takes orders by a socket that only this user can open, until disposed. One line asks, one line answers. */
export const serveControl = async (directory: string, control: Control): Promise<AsyncDisposable> => {
  const near = join(directory, 'control.sock')
  const far = Buffer.byteLength(near) > LONGEST ? mkdtempSync(join(tmpdir(), 'kmig-')) : undefined
  const path = far ? join(far, 'control.sock') : near
  rmSync(path, { force: true })
  const server = createServer(socket => {
    let text = ''
    socket.on('error', () => {}) // whoever asked has gone
    socket.setEncoding('utf8').on('data', async chunk => {
      text += chunk
      const end = text.indexOf('\n')
      if (end < 0) return
      const order = text.slice(0, end) as Order
      text = ''
      const answer = ORDERS.includes(order)
        ? await answered(control[order])
        : ({ ok: false, code: 'BUG', why: `no order '${order}'` } satisfies Answer)
      socket.end(`${JSON.stringify(answer)}\n`)
    })
  })
  await new Promise<void>((done, failed) => server.once('error', failed).listen(path, done))
  await chmod(path, 0o600)
  await writeFileAtomic(fileOf(directory), path)
  server.unref()
  return {
    async [Symbol.asyncDispose]() {
      await new Promise(done => server.close(done))
      rmSync(fileOf(directory), { force: true })
      rmSync(far ?? path, { recursive: true, force: true })
    },
  }
}

const answered = async (work: () => Promise<LiveStatus>): Promise<Answer> => {
  try {
    return { ok: true, status: await work() }
  } catch (e) {
    return { ok: false, code: isKmigError(e, 'WRONG_STATE') ? 'WRONG_STATE' : 'BUG', why: messageOf(e) }
  }
}

/** Where the runner listens; its file goes when it ends, at any moment. */
const pathIn = (directory: string): string | undefined => {
  try {
    return readFileSync(fileOf(directory), 'utf8')
  } catch (e) {
    if ((e as NodeJS.ErrnoException).code !== 'ENOENT') throw e
    return undefined
  }
}

/** Tells the runner of a run something; undefined when no runner lives. Throws WRONG_STATE when it refuses. */
export const tell = async (directory: string, order: Order): Promise<LiveStatus | undefined> => {
  const path = pathIn(directory)
  if (path === undefined) return undefined
  const text = await new Promise<string | undefined>((done, failed) => {
    const socket = createConnection(path)
    let got = ''
    socket.setTimeout(WAIT_MS, () => {
      socket.destroy()
      failed(new KmigError('TIMEOUT', `the process that runs this cutover did not answer '${order}'`))
    })
    socket.on('error', () => done(undefined)) // refused, or gone: nobody listens any more
    socket.on('connect', () => socket.write(`${order}\n`))
    socket.setEncoding('utf8').on('data', chunk => {
      got += chunk
    })
    socket.on('close', () => done(got === '' ? undefined : got))
  })
  if (text === undefined) return undefined
  const answer = JSON.parse(text) as Answer
  if (answer.ok) return answer.status
  throw new KmigError(answer.code, answer.why)
}
