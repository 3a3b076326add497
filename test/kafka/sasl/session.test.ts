import { setTimeout as wait } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { Secret, type Security } from '../../../src/config/index.ts'
import { Cluster, Connection, Metadata } from '../../../src/kafka/index.ts'
import { FakeBroker, type Handler } from '../fake-broker.ts'

const METADATA = { throttleTimeMs: 0, brokers: [], clusterId: 'c', controllerId: 1, topics: [] }
const security: Security = {
  protocol: 'SASL_PLAINTEXT',
  sasl: { mechanism: 'PLAIN', user: 'me', password: new Secret('hunter2') },
}
const handshake: Handler = ({ reply }) => reply({ errorCode: 0, mechanisms: ['PLAIN'] })
const session = (sessionLifetimeMs: number, errorCode = 0) => {
  return {
    errorCode,
    errorMessage: null,
    authBytes: Buffer.alloc(0),
    sessionLifetimeMs: BigInt(sessionLifetimeMs),
  }
}
const ask = (connection: Connection, signal?: AbortSignal) =>
  connection.send(Metadata, { topics: null }, { timeoutMs: 5_000, ...(signal && { signal }) })
const authentication = expect.objectContaining({ code: 'AUTHENTICATION', exit: 5 })

describe('a session that ends', () => {
  test('is renewed on the same connection; requests that come meanwhile wait, and go out in their order', async () => {
    const order: string[] = []
    let loggingIn = false
    await using broker = await FakeBroker.listen({
      SaslHandshake: asked => {
        loggingIn = true
        handshake(asked)
      },
      SaslAuthenticate: async ({ reply }) => {
        await wait(40)
        loggingIn = false
        reply(session(200))
      },
      Metadata: ({ request, reply }) => {
        expect(loggingIn).toBe(false)
        order.push((request as { topics: { name: string }[] }).topics[0]?.name ?? '')
        reply(METADATA)
      },
    })
    await using connection = await Connection.open(broker.address, { security })
    const sent: string[] = []
    const answers: Promise<unknown>[] = []
    for (let i = 0; i < 120; i++) {
      sent.push(`t${i}`)
      answers.push(connection.send(Metadata, { topics: [{ name: `t${i}` }] }, { timeoutMs: 5_000 }))
      await wait(5)
    }
    await Promise.all(answers)
    expect(order).toEqual(sent)
    expect(broker.sockets.size).toBe(1)
    expect(broker.asked.filter(name => name === 'SaslHandshake').length).toBeGreaterThan(2)
  })

  test('and whose renewal is refused ends the connection as AUTHENTICATION, and what waits with it', async () => {
    let logins = 0
    let asked: Promise<unknown> | undefined
    await using broker = await FakeBroker.listen({
      SaslHandshake: handshake,
      SaslAuthenticate: async ({ reply }) => {
        if (++logins === 1) return reply(session(100))
        asked = ask(connection)
        asked.catch(() => {})
        await wait(20)
        reply(session(0, 58))
      },
      Metadata: ({ reply }) => reply(METADATA),
    })
    await using connection = await Connection.open(broker.address, { security })
    expect(await connection.ended).toEqual(authentication)
    await expect(asked).rejects.toEqual(authentication)
    await expect(ask(connection)).rejects.toEqual(authentication)
    expect(logins).toBe(2)
  })

  test('lets a request that waits for it be aborted without harm to the others', async () => {
    let logins = 0
    const stop = new AbortController()
    let asked: Promise<unknown>[] = []
    await using broker = await FakeBroker.listen({
      SaslHandshake: handshake,
      SaslAuthenticate: async ({ reply }) => {
        if (++logins === 2) {
          asked = [ask(connection, stop.signal), ask(connection)]
          asked[0]?.catch(() => {})
          stop.abort(new Error('enough'))
          await wait(20)
        }
        reply(session(logins === 1 ? 100 : 0))
      },
      Metadata: ({ reply }) => reply(METADATA),
    })
    await using connection = await Connection.open(broker.address, { security })
    while (asked.length === 0) await wait(5)
    await expect(asked[0]).rejects.toThrow('enough')
    await expect(asked[1]).resolves.toMatchObject({ clusterId: 'c' })
    expect(connection.closed).toBe(false)
  })
})

test('refused credentials are sent once, however many brokers there are to ask', async () => {
  const refusing = () =>
    FakeBroker.listen({
      SaslHandshake: handshake,
      SaslAuthenticate: ({ reply }) => reply(session(0, 58)),
    })
  await using first = await refusing()
  await using second = await refusing()
  const bootstrap = [first.address, second.address]
  await expect(Cluster.open({ bootstrap, security })).rejects.toEqual(authentication)
  expect([...first.asked, ...second.asked]).toEqual(['ApiVersions', 'SaslHandshake', 'SaslAuthenticate'])
})

test('the password is in no error, whatever the broker says', async () => {
  await using broker = await FakeBroker.listen({
    SaslHandshake: ({ reply }) => reply({ errorCode: 33, mechanisms: ['GSSAPI'] }),
  })
  const e = await Connection.open(broker.address, { security }).catch((error: Error) => error)
  expect(e).toMatchObject({ code: 'AUTHENTICATION', message: expect.stringMatching(/it takes GSSAPI/) })
  expect(JSON.stringify(e, Object.getOwnPropertyNames(e))).not.toContain('hunter2')
})
