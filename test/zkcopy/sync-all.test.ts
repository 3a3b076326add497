import { expect, test } from 'vitest'
import { syncAll } from '../../src/zkcopy/sync-all.ts'
import { ZkSession } from '../../src/zookeeper/index.ts'
import { FakeServer } from '../zookeeper/fake-server.ts'

const signal = new AbortController().signal

test('a session whose server is behind another one is not read from until it has caught up', async () => {
  await using ahead = await FakeServer.start()
  await using behind = await FakeServer.start()
  for (let i = 0; i < 10; i++) ahead.put(`/n${i}`, 'x')
  await using one = await ZkSession.open({ servers: [ahead.address] })
  await using other = await ZkSession.open({ servers: [behind.address] })
  let done = false
  const synced = syncAll([one, other], { signal, more: { servers: [behind.address] } }).then(zxid => {
    done = true
    return zxid
  })
  while (behind.requests.filter(opcode => opcode === 9).length < 4) await new Promise(setImmediate)
  expect(done).toBe(false)
  for (let i = 0; i < 10; i++) behind.put(`/n${i}`, 'x')
  expect(await synced).toBe(one.lastZxid)
})

test('none is behind what a watch was told', async () => {
  await using server = await FakeServer.start()
  await using session = await ZkSession.open({ servers: [server.address] })
  const synced = syncAll([session], { signal, floor: 5n, more: { servers: [server.address] } })
  for (let i = 0; i < 5; i++) server.put(`/n${i}`, 'x')
  expect(await synced).toBeGreaterThanOrEqual(5n)
})

test('servers of two ensembles in one connect string are told as such', async () => {
  const start = () => FakeServer.start({ alive: new Set() })
  await using ahead = await start()
  await using behind = await start()
  ahead.put('/a', 'x')
  await using one = await ZkSession.open({ servers: [behind.address] })
  await using begun = await ZkSession.open({ servers: [ahead.address] })
  await using other = await ZkSession.open({ servers: [ahead.address] })
  expect(begun.credentials.sessionId).not.toBe(other.credentials.sessionId)
  const servers = [behind.address, ahead.address]
  await expect(syncAll([one, other], { signal, more: { servers } })).rejects.toMatchObject({
    code: 'ZK_CONNECT_STRING',
    message: `${one.address} and ${other.address} are not servers of one ensemble`,
  })
})
