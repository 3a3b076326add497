import { expect, test } from 'vitest'
import { scan } from '../../src/zkcopy/scan.ts'
import { TreeReader } from '../../src/zkcopy/tree-reader.ts'
import { ZkSession } from '../../src/zookeeper/index.ts'
import { FakeServer } from '../zookeeper/fake-server.ts'

const LIST = 8
const signal = new AbortController().signal
const planted = async (parents: number, children: number, multiRead: 'yes' | 'unimplemented') => {
  const server = await FakeServer.start({ multiRead })
  server.put('/app', 'root')
  for (let p = 0; p < parents; p++) {
    server.put(`/app/p${p}`, 'parent')
    for (let i = 0; i < children; i++) server.put(`/app/p${p}/n${i}`, 'x')
  }
  const session = await ZkSession.open({ servers: [server.address] })
  const reader = new TreeReader([session], { multiRead: multiRead === 'yes' })
  return {
    ...{ server, reader },
    async [Symbol.asyncDispose]() {
      await session.close()
      await server[Symbol.asyncDispose]()
    },
  }
}

test('a scan holds the names of some parents, however many there are', async () => {
  await using tree = await planted(40, 1_000, 'unimplemented')
  const lists = () => tree.server.requests.filter(opcode => opcode === LIST).length
  for await (const nodes of scan({ reader: tree.reader, root: '/app', withAcls: false, signal })) {
    if (nodes.some(({ path }) => path.includes('/n'))) break
  }
  expect(lists()).toBeGreaterThan(1)
  expect(lists()).toBeLessThan(25)
})

for (const [what, withAcls] of [['data', false] as const, ['data and ACL', true] as const]) {
  test(`a scan gives ${what} of every znode once, parents first, as others vanish under it`, async () => {
    await using tree = await planted(30, 20, 'yes')
    const { nodes } = tree.server
    const below = [...nodes.keys()].filter(path => path.startsWith('/app')).map(path => path.slice(4) || '/')
    const seen: string[] = []
    const vanished: string[] = []
    const onVanished = (path: string) => vanished.push(path.slice(4))
    for await (const group of scan({ reader: tree.reader, root: '/app', withAcls, signal, onVanished })) {
      seen.push(...group.map(({ path }) => path))
      if (group.length === 30)
        for (const path of nodes.keys()) if (path.startsWith('/app/p7')) nodes.delete(path)
    }
    const lost = below.filter(path => path.startsWith('/p7'))
    expect(new Set(seen).size).toBe(seen.length)
    expect(seen.filter(path => !lost.includes(path)).toSorted()).toEqual(
      below.filter(path => !lost.includes(path)).toSorted(),
    )
    expect(lost.filter(path => seen.includes(path))).toEqual(['/p7'])
    for (const path of seen.filter(path => path.includes('/n'))) {
      expect(seen.indexOf(path)).toBeGreaterThan(seen.indexOf(path.slice(0, path.lastIndexOf('/'))))
    }
  })
}
