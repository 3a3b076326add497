import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'vitest'
import { isKmigError, sleep } from '../../src/kit/index.ts'
import { Sandbox } from '../../src/sandbox/index.ts'
import {
  aclOf,
  create,
  multi,
  must,
  OPEN_ACL,
  parseConnectString,
  remove,
  setAcl,
  setData,
  ZkSession,
} from '../../src/zookeeper/index.ts'
import { sandboxOptions } from '../sandbox-helper.ts'
import { content, Witness } from './witness.ts'

const COMMAND = new URL('./command.ts', import.meta.url).pathname
const VERIFY = new URL('./zk-command.ts', import.meta.url).pathname
const NODES = [9, 10, 11]
const FAN_OUT = 1_000

export type Story = {
  znodes: number
  ensemble: 1 | 3
  /** Ends the source's leader by SIGKILL while the copy runs. */
  killLeader: boolean
  /** Ends the copy so often by SIGKILL, each time after another while. */
  kills: number
}
/** What it cost, in ms. */
export type Downtime = { drainMs: number; verifyMs: number; changes: number; lagMs: number }

/**
 * The procedure of docs/zkcopy.md on real servers: a copy that follows, under a writer that changes one znode in a
 * hundred at least; block, drain, verify; and an ordinary client reads both trees.
 */
export const blockAndCopy = async (story: Story): Promise<Downtime> => {
  await using sandbox = await Sandbox.open(sandboxOptions())
  const spec = { kind: 'zookeeper', version: '3.9.2', brokers: 0 } as const
  const [from, to] = await Promise.all([
    sandbox.start({ ...spec, ensemble: story.ensemble }),
    sandbox.start(spec),
  ])
  const bare = (text = '') => text.replace(/\/.*/, '')
  const [source, target] = [bare(from.zookeeper), bare(to.zookeeper)]
  const { servers } = parseConnectString(source)
  await using session = await ZkSession.open({ servers, withinMs: 60_000 })
  await fill(session, story.znodes)

  const state = join(mkdtempSync(join(tmpdir(), 'kmig-block-')), 'state')
  const ends = ['--from', `${source}/app`, '--to', `${target}/app`]
  const args = [...ends, '--state', state, '--delete', '--max-delete', '100%', '--json']
  const stop = new AbortController()
  const writing = write(session, story.znodes, stop.signal)
  const started = (...more: string[]) => runOf(COMMAND, [...args, '--progress', 'json', ...more])

  for (let kill = 0; kill < story.kills; kill++) {
    const copy = started('--tail')
    await Promise.race([copy.ended, copy.seen(/"?kind|read|follow/), sleep(20_000)])
    await sleep(((kill * 137) % 10) * (story.znodes / 200))
    copy.child.kill('SIGKILL')
    expect(await copy.ended).toMatchObject({ code: null })
  }
  const copy = started('--tail')
  if (story.killLeader) {
    await sleep(500)
    const modes = await Promise.all(source.split(',').map(modeOf))
    const leader = NODES[modes.indexOf('leader')] ?? 0
    const { pid } = from.node(leader)
    await from.node(leader).stop('kill')
    expect(() => process.kill(pid ?? 0, 0)).toThrow('ESRCH')
    await sleep(2_000)
    await from.node(leader).start()
  }
  await copy.seen(/follow/)
  while (writing.changes() < story.znodes / 100 + 100) await sleep(20)
  stop.abort()
  await writing.ended
  const blockedAt = performance.now()
  copy.child.kill('SIGTERM')
  const followed = await copy.ended
  expect(followed.code).toBe(143)
  const drained = await started('--tail', '--until-quiet', '100ms').ended
  expect(drained.code).toBe(0)
  expect(JSON.parse(drained.stdout)).toMatchObject({ state: 'continued', tail: { endedBy: 'quiet' } })
  const drainMs = performance.now() - blockedAt
  const verified = await runOf(VERIFY, ['verify', ...ends, '--json']).ended
  expect(JSON.parse(verified.stdout)).toMatchObject({ equal: true })
  const verifyMs = performance.now() - blockedAt - drainMs
  await using old = await Witness.open(source)
  await using next = await Witness.open(target)
  expect(content(await next.tree('/app'))).toEqual(content(await old.tree('/app')))
  const { tail } = JSON.parse(followed.stdout) as { tail: { lag: { p50Ms: number } | null } }
  return {
    ...{ drainMs: Math.round(drainMs), verifyMs: Math.round(verifyMs) },
    ...{ changes: writing.changes(), lagMs: tail.lag?.p50Ms ?? 0 },
  }
}

const runOf = (script: string, args: readonly string[]) => {
  const child: ChildProcess = spawn(process.execPath, [script, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let [stdout, stderr] = ['', '']
  child.stdout?.on('data', chunk => {
    stdout += chunk
  })
  child.stderr?.on('data', chunk => {
    stderr += chunk
  })
  const ended = once(child, 'close').then(([code]) => ({ code: code as number | null, stdout, stderr }))
  const seen = async (what: RegExp): Promise<void> => {
    while (!what.test(stderr)) {
      if (child.exitCode !== null) throw new Error(`ended with ${child.exitCode}: ${stdout}${stderr}`)
      await sleep(10)
    }
  }
  return { child, ended, seen }
}

const pathOf = (i: number): string => `/app/p${Math.floor(i / FAN_OUT)}/n${i % FAN_OUT}`
const fill = async (session: ZkSession, znodes: number): Promise<void> => {
  must(await session.call(create, { path: '/app', data: null, acl: OPEN_ACL }), 'create')
  for (let at = 0; at < znodes; at += FAN_OUT) {
    const children = Array.from({ length: Math.min(FAN_OUT, znodes - at) }, (_, i) => pathOf(at + i))
    const paths = [`/app/p${at / FAN_OUT}`, ...children]
    const ops = paths.map(
      path => ({ kind: 'create', path, data: Buffer.alloc(100, path), acl: OPEN_ACL }) as const,
    )
    must(await session.call(multi, ops), 'fill')
  }
}

/** Sets, creates, deletes, changes ACLs, without a pause until it is stopped; what a lost connection leaves open it lets be. */
const write = (session: ZkSession, znodes: number, signal: AbortSignal) => {
  let changes = 0
  const made: string[] = []
  const once = async (i: number): Promise<void> => {
    const path = pathOf((i * 7_919) % znodes)
    const kind = i % 20
    if (kind === 3) {
      made.push(`/app/made${i}`)
      await session.call(create, { path: `/app/made${i}`, data: Buffer.from('made'), acl: OPEN_ACL })
    } else if (kind === 13 && made.length > 5) {
      await session.call(remove, { path: made.shift() ?? '', version: -1 })
    } else if (kind === 17) {
      const acl = aclOf([
        { perms: 31, scheme: 'world', id: 'anyone' },
        { perms: 1, scheme: 'ip', id: `10.0.0.${i % 250}` },
      ])
      await session.call(setAcl, { path, acl, aversion: -1 })
    } else await session.call(setData, { path, data: Buffer.from(`change ${i}`), version: -1 })
    changes++
  }
  const ended = (async () => {
    for (let i = 0; !signal.aborted; i++) {
      await once(i).catch(e => {
        if (!isKmigError(e, 'DISCONNECTED')) throw e
      })
      await sleep(1)
    }
  })()
  return { ended, changes: () => changes }
}

/** What a ZooKeeper says it is: leader, follower, standalone; undefined while it says nothing. */
export const modeOf = async (address: string): Promise<string | undefined> => {
  const [host = '', port = ''] = address.split(':')
  const socket = connect(Number(port), host)
  let text = ''
  socket.on('data', chunk => {
    text += chunk
  })
  socket.on('error', () => {})
  socket.on('connect', () => socket.write('srvr'))
  await once(socket, 'close')
  return /Mode: (\w+)/.exec(text)?.[1]
}
