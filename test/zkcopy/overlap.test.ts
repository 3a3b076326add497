import { expect, test } from 'vitest'
import { type End, zkcopy } from '../../src/zkcopy/index.ts'
import { ZkSession } from '../../src/zookeeper/index.ts'
import { FakeServer } from '../zookeeper/fake-server.ts'

const start = async (alive: Set<bigint>) => {
  const server = await FakeServer.start({ alive })
  server.put('/app', 'root')
  server.put('/app/a', 'a')
  return server
}
const copy = (from: Pick<End, 'servers' | 'chroot'>, to: Pick<End, 'servers' | 'chroot'>) =>
  zkcopy({ from, to, signal: new AbortController().signal })

for (const [from, to] of [
  ['/app', '/app'],
  ['/', '/'],
  ['/', '/app/copy'],
  ['/app', '/'],
  ['/app/a', '/app'],
] as const) {
  test(`${from} and ${to} of two servers that know of each other's sessions are refused, also beside servers of another ensemble`, async () => {
    const alive = new Set<bigint>()
    await using one = await start(alive)
    await using member = await start(alive)
    await using foreign = await start(new Set())
    const source = { servers: [one.address], chroot: from }
    for (const servers of [[member.address], [foreign.address, member.address]]) {
      await expect(copy(source, { servers, chroot: to })).rejects.toMatchObject({ code: 'ZK_OVERLAP' })
    }
  })
}

/** Servers that started in the same ms give the same ids: the fakes all count from the same one. */
const colliding = async () => {
  const alive = new Set<bigint>()
  const target = await start(alive)
  const busy = await Promise.all(
    Array.from({ length: 40 }, () => ZkSession.open({ servers: [target.address] })),
  )
  return {
    ...{ target, alive },
    async [Symbol.asyncDispose]() {
      await Promise.all(busy.map(session => session.close()))
      await target[Symbol.asyncDispose]()
    },
  }
}

test('another ensemble that takes the session, as it has given the same id itself, is copied to', async () => {
  await using source = await start(new Set())
  source.put('/app/b', 'b')
  await using world = await colliding()
  const ends = [source, world.target].map(({ address }) => ({ servers: [address], chroot: '/app' }))
  expect(await copy(ends[0] as End, ends[1] as End)).toMatchObject({ created: 1, unchanged: 2 })
})

test('another ensemble whose own session of that id ends between the two questions is copied to', async () => {
  const mine = new Set<bigint>()
  await using source = await start(mine)
  await using world = await colliding()
  const first = 0x1001n
  mine.delete = id => {
    if (id === first) world.alive.delete(id)
    return Set.prototype.delete.call(mine, id)
  }
  const ends = [source, world.target].map(({ address }) => ({ servers: [address], chroot: '/app' }))
  expect(await copy(ends[0] as End, ends[1] as End)).toMatchObject({ created: 0, unchanged: 2 })
})
