import { spawn } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Secret, type Security, type Tls } from '../../src/config/index.ts'
import { Cluster, kafkaJs, Metadata } from '../../src/kafka/index.ts'
import { parseBootstrap, sleep } from '../../src/kit/index.ts'
import {
  type Certificate,
  certificateAuthority,
  type Login,
  type SandboxCluster,
} from '../../src/sandbox/index.ts'
import { Command, MirrorWorld } from '../mirror-world.ts'
import { type Pair, servers } from '../sandbox-helper.ts'
import { temporary } from '../temporary.ts'

const LISTENERS = ['sasl', 'sasl-tls', 'tls'] as const
/** Sessions that end soon, so that whatever runs for longer has logged in again. */
const SESSION_MS = 2_500
const read = (file = '') => readFileSync(file, 'utf8')
type Named = { bootstrap: string; properties: string }
const ownOf = ({ certificate, key }: Certificate) =>
  ({ kind: 'pem', chain: read(certificate), key: new Secret(read(key)) }) as const

servers('secured listeners', () => {
  let world: MirrorWorld
  let clusters: Pair
  beforeAll(async () => {
    const config = { 'listener.name.sasltls.connections.max.reauth.ms': `${SESSION_MS}` }
    world = await MirrorWorld.open({
      old: { listeners: LISTENERS, config },
      new: { listeners: LISTENERS, config },
    })
    clusters = world.clusters
  })
  afterAll(async () => await world[Symbol.asyncDispose]())

  /** A kmig.yaml of both clusters with a client's file each; gives what the command then needs. */
  const configured = (old: Named, next: Named): string[] => {
    const directory = temporary()
    const row = (name: string, { bootstrap, properties }: Named) => {
      writeFileSync(join(directory, `${name}.properties`), properties, { mode: 0o600 })
      return `  ${name}: { bootstrap: "${bootstrap}", properties: ${name}.properties }\n`
    }
    writeFileSync(join(directory, 'kmig.yaml'), `clusters:\n${row('old', old)}${row('new', next)}`)
    return ['--config', join(directory, 'kmig.yaml'), '--state-dir', world.stateDir]
  }
  const named = (end: 'old' | 'new', listener: (typeof LISTENERS)[number], login: Login = {}): Named => ({
    bootstrap: clusters[end].bootstrap(listener),
    properties: clusters[end].clientProperties(listener, login),
  })
  const kmig = (...args: string[]) =>
    new Command(spawn(process.execPath, ['bin/kmig.js', ...args], { stdio: 'pipe' }))

  const tlsOf = ({ credentials: { tls } }: SandboxCluster): Tls & { own: NonNullable<Tls['own']> } => {
    if (!tls) throw new Error('no certificates')
    return { ca: read(tls.authority.certificate), checkHost: true, own: ownOf(tls.client) }
  }
  const saslOf = (
    { credentials }: SandboxCluster,
    mechanism = 'SCRAM-SHA-512' as const,
    password?: string,
  ) => ({
    mechanism,
    user: 'kmig',
    password: new Secret(password ?? credentials.users.kmig),
  })
  const rows: [listener: (typeof LISTENERS)[number], name: string, of: (c: SandboxCluster) => Security][] = [
    ['sasl', 'PLAIN', c => ({ protocol: 'SASL_PLAINTEXT', sasl: saslOf(c, 'PLAIN' as never) })],
    [
      'sasl',
      'SCRAM-SHA-256',
      c => ({ protocol: 'SASL_PLAINTEXT', sasl: saslOf(c, 'SCRAM-SHA-256' as never) }),
    ],
    ['sasl', 'SCRAM-SHA-512', c => ({ protocol: 'SASL_PLAINTEXT', sasl: saslOf(c) })],
    [
      'sasl-tls',
      'SCRAM-SHA-512 over TLS',
      c => ({ protocol: 'SASL_SSL', tls: { ...tlsOf(c), own: undefined }, sasl: saslOf(c) }),
    ],
    ['tls', 'a client certificate', c => ({ protocol: 'SSL', tls: tlsOf(c) })],
  ]
  for (const end of ['old', 'new'] as const) {
    for (const [listener, name, securityOf] of rows) {
      test(`${end}: own connections and the ordinary client log in by ${name}`, async () => {
        const cluster = clusters[end]
        const security = securityOf(cluster)
        const bootstrap = parseBootstrap(cluster.bootstrap(listener))
        await using own = await Cluster.open({ bootstrap, security })
        expect([...own.brokers.values()]).toMatchObject(bootstrap)
        const admin = kafkaJs({ brokers: bootstrap, security }).admin()
        await admin.connect()
        expect(await admin.describeCluster()).toMatchObject({ clusterId: own.clusterId })
        await admin.disconnect()
      })
    }

    test(`${end}: a session goes on past its end, and requests that come meanwhile wait and lose nothing`, async () => {
      const cluster = clusters[end]
      const security = (rows[3]?.[2] ?? (() => undefined))(cluster)
      await using own = await Cluster.open({
        bootstrap: parseBootstrap(cluster.bootstrap('sasl-tls')),
        security,
      })
      const connection = await own.connection([...own.brokers.keys()][0] ?? 0, 'test')
      let answered = 0
      const until = performance.now() + 3 * SESSION_MS
      const worker = async () => {
        while (performance.now() < until) {
          await connection.send(Metadata, { topics: [] }, { timeoutMs: 10_000 })
          answered++
          await sleep(1)
        }
      }
      await Promise.all(Array.from({ length: 8 }, worker))
      expect(connection.closed).toBe(false)
      expect(answered).toBeGreaterThan(100)
    })

    const wrong: [string, (typeof LISTENERS)[number], (c: SandboxCluster) => Promise<Security>, RegExp][] = [
      [
        'a wrong password',
        'sasl',
        async c => ({ protocol: 'SASL_PLAINTEXT', sasl: saslOf(c, undefined, 'hunter2') }),
        /refused user 'kmig' \(SCRAM-SHA-512\)/,
      ],
      [
        'no client certificate',
        'tls',
        async c => ({ protocol: 'SSL', tls: { ...tlsOf(c), own: undefined } }),
        /it wants a client certificate, and none was given/,
      ],
      [
        'an expired client certificate',
        'tls',
        async c => {
          const expired = await c.credentials.tls?.authority.issue('expired', { days: -1 })
          return { protocol: 'SSL', tls: { ...tlsOf(c), own: ownOf(expired as Certificate) } }
        },
        /kmig's certificate expired on/,
      ],
      [
        "a client certificate of somebody else's CA",
        'tls',
        async c => {
          const other = await certificateAuthority(temporary(), { signal: AbortSignal.timeout(30_000) })
          return { protocol: 'SSL', tls: { ...tlsOf(c), own: ownOf(await other.issue('kmig')) } }
        },
        /it refused kmig's certificate/,
      ],
      [
        'an unknown CA',
        'tls',
        async c => ({ protocol: 'SSL', tls: { ...tlsOf(c), ca: undefined } }),
        /signed by an unknown CA/,
      ],
      [
        'a login where none is asked for',
        'tls',
        async c => ({ protocol: 'SASL_SSL', tls: tlsOf(c), sasl: saslOf(c) }),
        /is a listener without SASL/,
      ],
    ]
    for (const [what, listener, securityOf, message] of wrong) {
      test(`${end}: ${what} is AUTHENTICATION within 5 s`, async () => {
        const cluster = clusters[end]
        const security = await securityOf(cluster)
        const start = performance.now()
        await expect(
          Cluster.open({ bootstrap: parseBootstrap(cluster.bootstrap(listener)), security }),
        ).rejects.toEqual(
          expect.objectContaining({
            code: 'AUTHENTICATION',
            exit: 5,
            message: expect.stringMatching(message),
            suggestions: [expect.any(String)],
          }),
        )
        expect(performance.now() - start).toBeLessThan(5_000)
      })
    }
  }

  test('kmig mirror clones from a listener of SCRAM over TLS to one of client certificates, over many ends of sessions', async () => {
    await world.fill('paid', { partitions: 3, batches: 40, records: 20 })
    const places = configured(named('old', 'sasl-tls'), named('new', 'tls'))
    const first = await kmig('mirror', ...places, '--topics', 'paid', '--until-caught-up', '--json').ended
    expect(first.code).toBe(0)
    const following = kmig('mirror', ...places, '--topics', 'paid')
    const end = performance.now() + 3 * SESSION_MS
    let written = 40
    while (performance.now() < end) {
      await world.more('paid', 0, { batches: 1 })
      written++
      await sleep(100)
    }
    await world.copied(['paid'], 1)
    following.process.kill('SIGTERM')
    expect((await following.ended).code).toBe(143)
    expect(following.stderr).not.toMatch(/lost|doubt|denied|refused/)
    expect(written).toBeGreaterThan(60)
    await world.expectEqual(['paid'])
  })
})
