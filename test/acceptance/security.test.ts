import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { globSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { CreateMode, createClient } from 'node-zookeeper-client'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { Secret, type Security, type Tls } from '../../src/config/index.ts'
import { alterConfigs, Cluster, createAcls, kafkaJs, listAcls, Metadata } from '../../src/kafka/index.ts'
import { parseBootstrap, parseHostPort, retry, sleep } from '../../src/kit/index.ts'
import {
  type Certificate,
  certificateAuthority,
  Link,
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
  const denials: [topic: string, end: 'old' | 'new', operation: string, needs: string][] = [
    ['unreadable', 'old', 'read', 'Read on topic unreadable'],
    ['unset', 'old', 'describe-configs', 'DescribeConfigs on topic unset'],
    ['unseen', 'old', 'describe', 'Describe on topic unseen'],
    ['unwritable', 'new', 'write', 'Write on topic unwritable'],
    ['unknown', 'new', 'describe', 'Describe on topic unknown'],
    ['unmade', 'new', 'create', 'Create on topic unmade'],
  ]
  const names = ['granted', ...denials.map(([topic]) => topic)]

  let world: MirrorWorld
  let clusters: Pair
  beforeAll(async () => {
    const config = (authorizer: string) => ({
      'listener.name.sasltls.connections.max.reauth.ms': `${SESSION_MS}`,
      'authorizer.class.name': authorizer,
      'super.users': 'User:ANONYMOUS;User:admin', // who comes by the plaintext listener
    })
    world = await MirrorWorld.open({
      old: { listeners: LISTENERS, config: config('kafka.security.authorizer.AclAuthorizer') },
      new: {
        listeners: LISTENERS,
        config: config('org.apache.kafka.metadata.authorizer.StandardAuthorizer'),
      },
    })
    clusters = world.clusters
    for (const end of ['old', 'new'] as const) {
      await rule(end, 'allow', 'all', 'topic', '*')
      await rule(end, 'allow', 'all', 'group', '*')
      await rule(end, 'allow', 'all', 'cluster', 'kafka-cluster')
    }
    await rule('new', 'deny', 'create', 'cluster', 'kafka-cluster') // or every topic could be made
    for (const name of names) await world.fill(name, { batches: 5 })
    for (const [topic, end, operation] of denials) await rule(end, 'deny', operation, 'topic', topic)
  })
  afterAll(async () => await world[Symbol.asyncDispose]())

  /** On the old cluster kmig logs in, on the new one it shows its certificate. */
  const rule = async (
    end: 'old' | 'new',
    permission: 'allow' | 'deny',
    operation: string,
    resource: string,
    name: string,
  ) => {
    const principal = end === 'old' ? 'User:kmig' : 'User:CN=kmig'
    const acls = [{ resource, pattern: 'literal', name, principal, host: '*', operation, permission }]
    const cluster = end === 'old' ? world.old : world.next
    await createAcls(cluster, acls, {
      refused: (_, error) => {
        throw error
      },
    })
    const there = async () => expect(await listAcls(cluster)).toEqual(expect.arrayContaining(acls))
    await retry(there, { withinMs: 20_000, retriable: () => true })
  }

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
      const until = performance.now() + 2 * SESSION_MS
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
    const end = performance.now() + 2 * SESSION_MS
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
    expect(written).toBeGreaterThan(50)
    await world.expectEqual(['paid'])
  })

  test('a topic that is denied is named with what it needs, and the others are copied (exit 6)', async () => {
    const places = configured(named('old', 'sasl-tls'), named('new', 'tls'))
    const chosen = names.flatMap(name => ['--topics', name])
    const run = kmig('mirror', ...places, '--name', 'denied', ...chosen, '--until-caught-up', '--json')
    expect((await run.ended).code).toBe(6)
    const report = JSON.parse(run.stdout)
    const partitions: { topic: string; stopped?: { message: string; try: string[] } }[] = report.partitions
    const stops = partitions.flatMap(({ topic, stopped }) =>
      stopped ? [[topic, `${stopped.message} ${stopped.try}`]] : [],
    )
    const refused: [string, string][] = report.refused.map((each: { topic: string; why: string }) => [
      each.topic,
      each.why,
    ])
    const told = new Map<string, string>([...(stops as [string, string][]), ...refused])
    expect([...told.keys()].sort()).toEqual(denials.map(([topic]) => topic).sort())
    for (const [topic, , , needs] of denials) expect(told.get(topic)).toContain(needs)
    await world.expectEqual(['granted'])
  })
  /** What a busy machine needs to start the command and do nothing. */
  const startMs = async () => (await kmig('mirror', '--help').ended).ms
  for (const [what, topics, needs] of [
    ['nothing but a denied topic', ['unseen'], 'Describe on topic unseen'],
    ['nothing that may be read', ['unreadable'], 'Read on topic unreadable'],
  ] as const) {
    test(`with ${what} a mirror ends with exit 5 within 5 s`, async () => {
      const places = configured(named('old', 'sasl-tls'), named('new', 'tls'))
      const chosen = topics.flatMap(name => ['--topics', name])
      const run = kmig(
        'mirror',
        ...places,
        '--name',
        what.replaceAll(' ', '-'),
        ...chosen,
        '--until-caught-up',
      )
      const { code, ms } = await run.ended
      const started = await startMs()
      expect([code, run.stderr]).toEqual([5, expect.stringContaining(needs)])
      expect(ms - started).toBeLessThan(5_000)
    })
  }

  const CANARY = 'canary-hunter2'
  /** Every byte that a command leaves behind, and its command line while it ran. */
  const leavings = async (...args: string[]) => {
    const stateDir = temporary()
    const run = kmig(...args, '--state-dir', stateDir)
    const commandLine = read(`/proc/${run.process.pid}/cmdline`)
    const { code, ms } = await run.ended
    const files = globSync('**', { cwd: stateDir, withFileTypes: true }).filter(entry => entry.isFile())
    const kept = files.map(({ parentPath, name }) => read(join(parentPath, name)))
    return { code, ms, stderr: run.stderr, all: [commandLine, run.stdout, run.stderr, ...kept].join('\n') }
  }
  const failures: [what: string, old: () => Promise<Named>, message: RegExp][] = [
    ['a wrong password', async () => named('old', 'sasl-tls', { password: CANARY }), /refused user 'kmig'/],
    [
      'a wrong password of PLAIN',
      async () => named('old', 'sasl', { password: CANARY, mechanism: 'PLAIN' }),
      /refused user 'kmig'/,
    ],
    [
      'an unknown CA',
      async () => {
        const { bootstrap, properties } = named('old', 'sasl-tls', { password: CANARY })
        const other = await certificateAuthority(temporary(), { signal: AbortSignal.timeout(30_000) })
        return { bootstrap, properties: properties.replace(/location=.*/, `location=${other.certificate}`) }
      },
      /signed by an unknown CA/,
    ],
    [
      'no client certificate',
      async () => {
        const { bootstrap, properties } = named('old', 'tls')
        return { bootstrap, properties: properties.replace(/ssl.keystore.*\n/g, '') }
      },
      /wants a client certificate, and none was given/,
    ],
    [
      'a wrong host name',
      async () => {
        const { bootstrap, properties } = named('old', 'sasl-tls')
        const listen = { host: clusters.old.node(1).host.replace(/\d+$/, '99'), port: 9_999 }
        const link = await Link.open({ listen, target: parseHostPort(bootstrap), seed: 1 })
        onTestFinished(() => link[Symbol.asyncDispose]())
        return { bootstrap: `${listen.host}:${listen.port}`, properties }
      },
      /its certificate is for another host/,
    ],
    [
      'an expired certificate',
      async () => {
        const expired = await clusters.old.credentials.tls?.authority.issue('node-1', {
          file: 'expired-node',
          days: -1,
          hosts: [clusters.old.node(1).host, 'localhost'], // as before, or the broker refuses it
        })
        const key = 'listener.name.sasltls.ssl.keystore.location'
        const broker = { kind: 'broker', name: '1' } as const
        const before = clusters.old.credentials.tls?.servers.get(1)?.store ?? ''
        await alterConfigs(world.old, broker, { set: { [key]: expired?.store ?? '' } })
        onTestFinished(() => alterConfigs(world.old, broker, { set: { [key]: before } }))
        return named('old', 'sasl-tls')
      },
      /its certificate has expired/,
    ],
  ]
  for (const [what, old, message] of failures) {
    for (const more of what === 'a wrong password' ? [['--json'], []] : [['--json']]) {
      test(`${what} ends a mirror${more.length ? ' --json' : ''} with exit 5 within 5 s, and no secret is shown`, async () => {
        const places = configured(await old(), named('new', 'tls')).slice(0, 2)
        const { code, ms, all } = await leavings('mirror', ...places, '--until-caught-up', ...more)
        expect([code, all]).toEqual([5, expect.stringMatching(message)])
        expect(ms - (await startMs())).toBeLessThan(5_000)
        for (const secret of [CANARY, clusters.old.credentials.users.kmig, 'PRIVATE KEY'])
          expect(all).not.toContain(secret)
      })
    }
  }

  test('verify, cutover and rollback go by the same listeners', async () => {
    await world.fill('moved', { batches: 5 })
    const [old, next] = [named('old', 'sasl-tls'), named('new', 'tls')]
    const stateDir = temporary()
    const places = [...configured(old, next).slice(0, 2), '--state-dir', stateDir]
    const file = join(temporary(), 'standard.yaml')
    const before = `clusters:\n  devc: { broker_list: ["${old.bootstrap}"], zookeeper: "h:2181/kafka" }\n`
    writeFileSync(file, before)
    const chosen = ['--topics', 'moved']
    const code = async (...args: string[]) => (await kmig(...args, ...places).ended).code
    expect(await code('mirror', ...chosen, '--until-caught-up')).toBe(0)
    expect(await code('verify', ...chosen)).toBe(0)
    // users of the new cluster have other names: ACLs of the old one are not to be there
    const accept = ['--accept', 'acl-diff']
    const discovery = ['--discovery', dirname(file), '--execute', '--yes', '--still-for', '1s', ...accept]
    expect(await code('cutover', ...chosen, ...discovery.slice(0, -2))).toBe(4)
    expect(await code('cutover', ...chosen, ...discovery)).toBe(0)
    expect(read(file)).toBe(before.replace(old.bootstrap, next.bootstrap))
    expect(await code('cutover', 'rollback')).toBe(0)
    expect(read(file)).toBe(before)
  })

  test('a user who is removed while a mirror runs ends it with exit 5 at the end of the session', async () => {
    await world.fill('kept', { batches: 5 })
    const places = configured(named('old', 'sasl-tls'), named('new', 'tls'))
    const run = kmig('mirror', ...places, '--name', 'removed', '--topics', 'kept')
    await retry(async () => expect(await world.total(world.next, ['__kmig.removed'])).toBeGreaterThan(0n), {
      withinMs: 20_000,
      retriable: () => true,
    })
    await removeUser(clusters.old.zookeeper ?? '', 'kmig')
    const { code } = await run.ended
    expect([code, run.stderr]).toEqual([5, expect.stringMatching(/refused user 'kmig'/)])
    expect(run.stderr.match(/refused user/g)?.length).toBeLessThan(3)
  })
})

/** What ConfigCommand does to a cluster that has its users in ZooKeeper. Source: kafka.zk.AdminZkClient. */
const removeUser = async (zookeeper: string, user: string): Promise<void> => {
  const client = createClient(zookeeper)
  client.connect()
  await once(client, 'connected')
  const set = promisify(client.setData.bind(client)) as (path: string, data: Buffer) => Promise<void>
  const create = promisify(client.create.bind(client)) as (
    path: string,
    data: Buffer,
    mode: number,
  ) => Promise<void>
  const text = (value: object) => Buffer.from(JSON.stringify(value))
  await set(`/config/users/${user}`, text({ version: 1, config: {} }))
  const change = text({ version: 2, entity_path: `users/${user}` })
  await create('/config/changes/config_change_', change, CreateMode.PERSISTENT_SEQUENTIAL)
  client.close()
}
