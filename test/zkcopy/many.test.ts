import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { restore, zkcopy } from '../../src/zkcopy/index.ts'
import { KafkaSide } from '../../src/zkcopy/kafka-side.ts'
import { TreeReader } from '../../src/zkcopy/tree-reader.ts'
import { ZkSession } from '../../src/zookeeper/index.ts'
import { FakeServer } from '../zookeeper/fake-server.ts'

const signal = new AbortController().signal
const put = (server: FakeServer, parents: number, children: number, root = '/app') => {
  server.put(root, 'root')
  for (let p = 0; p < parents; p++) {
    server.put(`${root}/p${p}`, 'parent')
    for (let i = 0; i < children; i++) server.put(`${root}/p${p}/n${i}`, 'x')
  }
}
const world = async () => {
  const source = await FakeServer.start({ alive: new Set() })
  const target = await FakeServer.start({ alive: new Set() })
  const end = (server: FakeServer) => ({ servers: [server.address], chroot: '/app' })
  return {
    ...{ source, target, from: end(source), to: end(target) },
    async [Symbol.asyncDispose]() {
      await source[Symbol.asyncDispose]()
      await target[Symbol.asyncDispose]()
    },
  }
}

for (const [title, parents, children] of [
  ['600 subtrees', 600, 0],
  ['two subtrees of 500 znodes', 2, 500],
] as const) {
  test(`--delete removes all of ${title} that only the target has`, async () => {
    await using fakes = await world()
    put(fakes.source, 0, 0)
    fakes.source.put('/app/kept', 'x')
    put(fakes.target, parents, children)
    const deleteUpTo = { kind: 'part', part: 1 } as const
    const report = await zkcopy({ from: fakes.from, to: fakes.to, deleteUpTo, signal })
    expect(report).toMatchObject({ deleted: parents * (1 + children), repaired: 0 })
    expect([...fakes.target.nodes.keys()]).toEqual(['/', '/app', '/app/kept'])
  })
}

test('restore --delete removes all of the 1,003 znodes that a copy had made', async () => {
  await using fakes = await world()
  put(fakes.source, 2, 500)
  const backup = join(mkdtempSync(join(tmpdir(), 'kmig-')), 'backup.ndjson')
  await zkcopy({ from: fakes.from, to: fakes.to, backup, signal })
  const report = await restore({ file: backup, to: fakes.to, deleteCreated: true, signal })
  expect(report).toMatchObject({ deleted: 1_003, repaired: 0, left: { count: 0 } })
  expect([...fakes.target.nodes.keys()]).toEqual(['/'])
})

test('the look at a Kafka sees each of 700 partitions', async () => {
  await using fakes = await world()
  put(fakes.source, 700, 0)
  await using session = await ZkSession.open({ servers: [fakes.source.address] })
  const reader = new TreeReader([session], { multiRead: true })
  const found = await new KafkaSide({ reader, root: '/app' }).nodes(
    Array.from({ length: 700 }, (_, i) => (i === 650 ? '/none' : `/p${i}`)),
  )
  expect(found).toHaveLength(700)
  expect(found.flatMap((node, i) => (node ? [] : [i]))).toEqual([650])
})
