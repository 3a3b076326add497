import { expect, test } from 'vitest'
import { OwnClient } from '../../src/zkcopy/own-client.ts'
import { type FakeOptions, FakeServer } from '../zookeeper/fake-server.ts'

const LIST = 8
const opened = async (options: FakeOptions = {}) => {
  const server = await FakeServer.start(options)
  server.put('/a', 'x')
  const { signal } = new AbortController()
  const client = await OwnClient.open({ server: server.address, signal, withinMs: 400 })
  return {
    ...{ server, client },
    async [Symbol.asyncDispose]() {
      await client[Symbol.asyncDispose]()
      await server[Symbol.asyncDispose]()
    },
  }
}

test('a watch whose connection is lost ends at once, as nobody would tell of the event', async () => {
  await using world = await opened()
  const watch = await world.client.watch('/a')
  expect(watch.there).toBe(true)
  expect((await world.client.watch('/none')).there).toBe(false)
  const event = watch.event()
  world.server.drop()
  await expect(event).rejects.toMatchObject({ code: 'DISCONNECTED' })
})

test('a server that no longer answers is named within the deadline', async () => {
  await using world = await opened({ fault: ({ opcode }) => (opcode === LIST ? 'silence' : undefined) })
  await expect(world.client.children('/')).rejects.toMatchObject({
    code: 'TIMEOUT',
    message: expect.stringContaining(`list / got no answer from 127.203.0.3:${world.server.port} in 400 ms`),
  })
})
