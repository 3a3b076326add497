import { afterAll, beforeAll, expect, test } from 'vitest'
import { sleep } from '../../src/kit/index.ts'
import { Sandbox, type SandboxCluster } from '../../src/sandbox/index.ts'
import { type ZkCopyOptions, zkcopy } from '../../src/zkcopy/index.ts'
import { parseConnectString } from '../../src/zookeeper/index.ts'
import { sandboxOptions, servers } from '../sandbox-helper.ts'
import { modeOf } from '../zkcopy/block-and-copy.ts'
import { content, Witness } from '../zkcopy/witness.ts'

const NODES = [9, 10, 11]

servers('zkcopy into an ensemble of three', () => {
  let sandbox: Sandbox
  let ensemble: SandboxCluster
  let [source, target] = ['', '']
  let old: Witness
  const copy = (options: Partial<ZkCopyOptions> = {}) =>
    zkcopy({
      from: parseConnectString(`${source}/app`),
      to: parseConnectString(`${target}/app`),
      withinMs: 40_000,
      signal: new AbortController().signal,
      ...options,
    })

  beforeAll(async () => {
    sandbox = await Sandbox.open(sandboxOptions())
    const [one, three] = await Promise.all([
      sandbox.start({ kind: 'zookeeper', version: '3.9.2', brokers: 0 }),
      sandbox.start({ kind: 'zookeeper', version: '3.9.2', brokers: 0, ensemble: 3 }),
    ])
    ensemble = three
    source = one.zookeeper ?? ''
    target = three.zookeeper ?? ''
    old = await Witness.open(source)
    await old.plantAll(['/app', ...Array.from({ length: 3_000 }, (_, i) => `/app/n${i}`)])
  })
  afterAll(async () => {
    await old?.[Symbol.asyncDispose]()
    await sandbox?.[Symbol.asyncDispose]()
  })

  test('the leader killed in the middle of the copy: the same run ends with equal trees', async () => {
    const addresses = target.split(',')
    const modes = await Promise.all(addresses.map(modeOf))
    expect(modes.toSorted()).toEqual(['follower', 'follower', 'leader'])
    const leader = NODES[modes.indexOf('leader')] ?? 0
    let created = 0
    const copying = copy({
      batch: 1,
      on: event => {
        if (event.kind === 'progress') created = event.created
      },
    })
    copying.catch(() => {})
    while (created < 100) await sleep(1)
    await ensemble.node(leader).stop('kill')
    expect(created).toBeLessThan(3_001)
    const report = await copying
    expect(report).toMatchObject({ created: 3_001, scanned: 3_001 })
    const survivors = addresses.filter((_, i) => NODES[i] !== leader)
    await using next = await Witness.open(survivors.join(','))
    expect(content(await next.tree('/app'))).toEqual(content(await old.tree('/app')))
    expect(await copy()).toMatchObject({ created: 0, updated: 0, multis: 0 })
    await ensemble.node(leader).start()
  })

  test('the leader of the source killed while nobody writes: --tail goes on, and copies the next write', async () => {
    const addresses = target.split(',')
    await using next = await Witness.open(source)
    const stop = new AbortController()
    let [rescans, following] = [0, 0]
    const tailing = zkcopy({
      from: parseConnectString(`${target}/app`),
      to: parseConnectString(`${source}/back`),
      tail: { untilQuietMs: undefined },
      withinMs: 40_000,
      signal: stop.signal,
      on: ({ kind }) => {
        if (kind === 'rescan') [rescans, following] = [rescans + 1, 0]
        if (kind === 'following') following++
      },
    })
    tailing.catch(() => {})
    const within = { timeout: 25_000, interval: 50 }
    await expect.poll(() => following, within).toBeGreaterThan(0)
    const leader = (await Promise.all(addresses.map(modeOf))).indexOf('leader')
    await ensemble.node(NODES[leader] ?? 0).stop('kill')
    await expect.poll(() => rescans > 0 && following > 0, within).toBe(true)
    const survivors = addresses.filter((_, i) => i !== leader)
    await using there = await Witness.open(survivors.join(','))
    await there.plant('/app/late')
    await expect.poll(() => next.exists('/back/late'), within).not.toBeNull()
    stop.abort()
    expect((await tailing).tail).toMatchObject({ mode: 'watch', endedBy: 'signal' })
    await ensemble.node(NODES[leader] ?? 0).start()
  })

  test('a connect string that names servers of two ensembles is refused, and nothing is written', async () => {
    const mixed = parseConnectString(`${source},${target}/app`)
    const to = parseConnectString(`${source}/mixed`)
    const running = zkcopy({ from: mixed, to, signal: new AbortController().signal })
    await expect(running).rejects.toMatchObject({ code: 'ZK_CONNECT_STRING' })
    expect(await old.exists('/mixed')).toBeNull()
  })

  test('a member of the target ensemble is known as such by any of its addresses', async () => {
    const [first = '', , third = ''] = target.split(',')
    const same = zkcopy({
      from: parseConnectString(`${first}/app`),
      to: parseConnectString(`${third}/app/below`),
      signal: new AbortController().signal,
    })
    await expect(same).rejects.toMatchObject({ code: 'ZK_OVERLAP' })
  })
})
