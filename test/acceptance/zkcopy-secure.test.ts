import { execFileSync } from 'node:child_process'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Sandbox, type SandboxCluster } from '../../src/sandbox/index.ts'
import { endOf, latency, smoke } from '../../src/zkcopy/index.ts'
import { SMOKE_STEPS } from '../../src/zkcopy/smoke.ts'
import { aclOf, create, getChildren, getData, ZkSession } from '../../src/zookeeper/index.ts'
import { spawned } from '../cli/spawned.ts'
import { sandboxOptions, servers } from '../sandbox-helper.ts'
import { Witness } from '../zkcopy/witness.ts'

const COMMAND = new URL('../zkcopy/command.ts', import.meta.url).pathname

servers('zkcopy from servers that want to know who comes', () => {
  let sandbox: Sandbox
  let secured: SandboxCluster
  let [plain, secure, target] = ['', '', '']
  let next: Witness
  const directory = mkdtempSync(join(tmpdir(), 'kmig-secure-'))
  const file = (name: string, text: string) => {
    writeFileSync(join(directory, name), text, { mode: 0o600 })
    return join(directory, name)
  }
  const jaas = (name: string, password: string) => {
    const module = 'org.apache.zookeeper.server.auth.DigestLoginModule required'
    file(`${name}.jaas`, `Client {\n  ${module}\n  username="kmig"\n  password="${password}";\n};\n`)
    return file(name, `java.security.auth.login.config=${name}.jaas\n`)
  }
  const tls = (name: string, more: Record<string, string> = {}) => {
    const properties = {
      'zookeeper.client.secure': 'true',
      'zookeeper.clientCnxnSocket': 'org.apache.zookeeper.ClientCnxnSocketNetty',
      'zookeeper.ssl.trustStore.location': secured.credentials.tls?.authority.certificate ?? '',
      'zookeeper.ssl.keyStore.location': secured.credentials.tls?.client.store ?? '',
      ...more,
    }
    return file(
      name,
      Object.entries(properties)
        .map(([key, value]) => `${key}=${value}\n`)
        .join(''),
    )
  }
  const run = async (from: string, login: string | undefined, to = `${target}/copy`) => {
    const auth = login ? ['--from-auth', login] : []
    const { code, stdout } = await spawned(COMMAND, ['--from', from, '--to', to, '--json', ...auth])
    return { code, report: JSON.parse(stdout) }
  }
  const refused = (code: string, exit: number, message = /./) => ({
    code: exit,
    report: { error: { code, message: expect.stringMatching(message) } },
  })

  beforeAll(async () => {
    sandbox = await Sandbox.open(sandboxOptions())
    const [first, second] = await Promise.all([
      sandbox.start({ kind: 'zookeeper', version: '3.9.2', brokers: 0, listeners: ['zk-tls', 'zk-sasl'] }),
      sandbox.start({ kind: 'zookeeper', version: '3.9.2', brokers: 0 }),
    ])
    secured = first
    plain = first.zookeeper ?? ''
    secure = first.secureZookeeper ?? ''
    target = second.zookeeper ?? ''
    next = await Witness.open(target)
    await using session = await ZkSession.open(endOf(plain, jaas('planter', secured.credentials.users.kmig)))
    const shut = (scheme: string, id: string) => aclOf([{ perms: 31, scheme, id }])
    const plant = async (path: string, scheme: string, id: string) =>
      expect(
        await session.call(create, { path, data: Buffer.from(path), acl: shut(scheme, id) }),
      ).toMatchObject({ code: 0 })
    await plant('/sasl', 'sasl', 'kmig')
    await plant('/sasl/below', 'sasl', 'kmig')
    await plant('/x509', 'x509', 'CN=kmig')
  })
  afterAll(async () => {
    await next?.[Symbol.asyncDispose]()
    await sandbox?.[Symbol.asyncDispose]()
  })

  test('DIGEST-MD5 opens what only that user may read; nobody and a wrong password are refused', async () => {
    const login = jaas('right', secured.credentials.users.kmig)
    expect(await run(`${plain}/sasl`, undefined)).toMatchObject(refused('ZK_NO_AUTH', 5, /\/sasl/))
    expect(await run(`${plain}/sasl`, jaas('wrong', 'not-it'))).toMatchObject(
      refused('AUTHENTICATION', 5, /as kmig/),
    )
    expect(await next.exists('/copy')).toBeNull()
    const uniform = await spawned(COMMAND, [
      ...[
        '--from',
        `${plain}/sasl`,
        '--from-auth',
        login,
        '--to',
        `${target}/copy`,
        '--acl',
        'open',
        '--json',
      ],
    ])
    expect(JSON.parse(uniform.stdout)).toMatchObject({ ok: true, created: 2 })
    expect([...(await next.tree('/copy')).keys()]).toEqual(['/', '/below'])
  })

  test('a server that takes no login says so', async () => {
    expect(await run(`${target}/copy`, jaas('nobody', 'x'), `${target}/other`)).toMatchObject(
      refused('AUTHENTICATION', 5),
    )
  })

  test('after a restart of the server the session logs in again before it goes on', async () => {
    const events: string[] = []
    await using session = await ZkSession.open({
      ...endOf(plain, jaas('again', secured.credentials.users.kmig)),
      on: ({ kind }) => events.push(kind),
      withinMs: 60_000,
    })
    await secured.node(9).stop('kill')
    await secured.node(9).start()
    const { code, value } = await session.call(getData, { path: '/sasl' })
    expect([code, String(value?.data)]).toEqual([0, '/sasl'])
    expect(events).toContain('reconnected')
  })

  test('mutual TLS by PEM and by PKCS12 opens what only that certificate may read', async () => {
    const store = join(directory, 'kmig.p12')
    const { store: pem = '' } = secured.credentials.tls?.client ?? {}
    const made = ['pkcs12', '-export', '-in', pem, '-out', store, '-passout', 'pass:changeit']
    execFileSync('openssl', made, { stdio: 'ignore' })
    const p12 = { 'zookeeper.ssl.keyStore.location': store, 'zookeeper.ssl.keyStore.password': 'changeit' }
    for (const [i, login] of [tls('pem'), tls('pkcs12', p12)].entries()) {
      await using session = await ZkSession.open(endOf(secure, login))
      expect((await session.call(getData, { path: '/x509' })).code).toBe(0)
      const entry = `{ zookeeper: "${secure}/x509", zookeeperProperties: ${basename(login)} }`
      const config = file(
        'kmig.yaml',
        `clusters:\n  old: ${entry}\n  new: { zookeeper: "${target}/tls${i}" }\n`,
      )
      const { code, stdout, stderr } = await spawned(COMMAND, ['--config', config, '--acl', 'open', '--json'])
      expect(JSON.parse(stdout), stderr).toMatchObject({ ok: true, created: 1 })
      expect(code).toBe(0)
    }
  })

  for (const [how, at, login] of [
    ['mutual TLS', () => `${secure}/x509`, () => tls('smoke-tls')],
    ['SASL', () => `${plain}/sasl`, () => jaas('smoke-sasl', secured.credentials.users.kmig)],
  ] as const) {
    test(`smoke and latency over ${how} below what only that user may write, by kmig's own client`, async () => {
      const { signal } = new AbortController()
      const end = endOf(at(), login())
      const to = { ...end, servers: [...end.servers, ...end.servers] }
      const { servers } = await smoke({ to, signal })
      const steps = Object.fromEntries(SMOKE_STEPS.map(step => [step, expect.any(Number)]))
      expect(servers).toHaveLength(2)
      for (const server of servers) expect(server).toMatchObject({ client: 'kmig', ms: steps, failed: null })
      const measured = await latency({ to, signal, ops: 50, bytes: 25, window: 4 })
      for (const { client, operations } of measured.servers) {
        expect(client).toBe('kmig')
        for (const { count, p50Ms } of operations) expect([count, p50Ms > 0]).toEqual([50, true])
      }
      await using session = await ZkSession.open(end)
      const left = await session.call(getChildren, { path: end.chroot })
      expect(left.value?.filter(name => name.startsWith('kmig-'))).toEqual([])
    })
  }

  test('smoke without the credentials names the step that is refused', async () => {
    const { signal } = new AbortController()
    const refusedAt = async (at: string, login?: string) =>
      (await smoke({ to: endOf(at, login), signal, withinMs: 1_500 })).servers[0]
    expect(await refusedAt(`${plain}/sasl`)).toMatchObject({
      client: 'node-zookeeper-client',
      failed: { step: 'create', code: 'ZK_NO_AUTH' },
    })
    expect(await refusedAt(`${plain}/sasl`, jaas('smoke-wrong', 'not-it'))).toMatchObject({
      client: 'kmig',
      failed: { step: 'connect', code: 'AUTHENTICATION' },
    })
  })

  test('without a certificate, with one that nobody knows, to the wrong port: each has its error', async () => {
    const none = tls('bare', { 'zookeeper.ssl.keyStore.location': '' })
    expect(await run(`${secure}/x509`, none)).toMatchObject(
      refused('AUTHENTICATION', 5, /client certificate/),
    )
    const strangers = join(directory, 'strangers.pem')
    const own = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
    execFileSync('openssl', [...own, '-keyout', '/dev/null', '-out', strangers, '-subj', '/CN=stranger'], {
      stdio: 'ignore',
    })
    const foreign = tls('foreign', { 'zookeeper.ssl.trustStore.location': strangers })
    expect(await run(`${secure}/x509`, foreign)).toMatchObject(refused('AUTHENTICATION', 5, /unknown CA/))
    const reached = { code: 'UNREACHABLE', message: expect.stringContaining('closed the connection') }
    const open = (address: string, login?: string) =>
      ZkSession.open({ ...endOf(address, login), withinMs: 1_500 })
    await expect(open(secure)).rejects.toMatchObject(reached)
    await expect(open(plain, tls('plain-port'))).rejects.toMatchObject({
      code: expect.stringMatching(/UNREACHABLE|PROTOCOL/),
    })
  })
})
