import { expect, test } from 'vitest'
import { zkcopy } from '../../src/zkcopy/index.ts'
import { FakeServer } from '../zookeeper/fake-server.ts'

/** Servers that started in the same ms give the same ids, and so take each other's sessions: fakes take every one. */
const copied = async (plant: (target: FakeServer) => void, root = '/app') => {
  await using source = await FakeServer.start({ resumes: () => true })
  await using target = await FakeServer.start({ resumes: () => true })
  source.put('/app', 'root')
  source.put('/app/a', 'a')
  plant(target)
  const ends = { from: source, to: target }
  const end = (side: 'from' | 'to') => ({ servers: [ends[side].address], chroot: root })
  return await zkcopy({ from: end('from'), to: end('to'), signal: new AbortController().signal })
}

for (const root of ['/app', '/']) {
  test(`${root} of another ensemble that takes the source's session, and lacks the znode, is copied to`, async () => {
    expect(await copied(() => {}, root)).toMatchObject({ created: 2 })
  })

  test(`${root} of another ensemble that takes the source's session, and has another znode there, is copied to`, async () => {
    const other = (target: FakeServer) => {
      target.put('/before', 'it')
      target.put('/app', 'other')
    }
    expect(await copied(other, root)).toMatchObject({ created: 1, updated: 1 })
  })

  test(`${root} where both sides have the very znode, and one takes the other's session, is one ensemble`, async () => {
    const same = (target: FakeServer) => target.put('/app', 'root')
    await expect(copied(same, root)).rejects.toMatchObject({ code: 'ZK_OVERLAP' })
  })
}
