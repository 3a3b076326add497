import { expect, test } from 'vitest'
import { drain } from '../../src/zkcopy/drain.ts'
import { Ensembles } from '../../src/zkcopy/ensembles.ts'
import { zkcopy } from '../../src/zkcopy/index.ts'
import { prepare } from '../../src/zkcopy/prepare.ts'
import { TreeReader } from '../../src/zkcopy/tree-reader.ts'
import { committingOf } from '../../src/zkcopy/writing.ts'
import { ZkSession } from '../../src/zookeeper/index.ts'
import { FakeServer } from '../zookeeper/fake-server.ts'

test('hundreds of changes that a watch told at once are all copied', async () => {
  await using source = await FakeServer.start()
  await using target = await FakeServer.start()
  const paths = Array.from({ length: 300 }, (_, i) => `/n${i}`)
  const put = (data: string) => {
    for (const path of paths) source.put(`/app${path}`, data)
  }
  source.put('/app', 'root')
  put('before')
  const { signal } = new AbortController()
  const from = { servers: [source.address], chroot: '/app' }
  const to = { servers: [target.address], chroot: '/copy' }
  await zkcopy({ from, to, signal })
  put('after')

  await using sides = await Ensembles.open(from, to, { signal })
  const plan = await prepare(sides, { from, to, signal }, undefined)
  await using told = await ZkSession.open({ servers: from.servers })
  await drain(paths, {
    plan,
    committing: committingOf(sides, plan, { from, to, signal }),
    source: new TreeReader([told], { multiRead: true }),
    deleteUpTo: undefined,
  })
  expect(paths.filter(path => String(target.nodes.get(`/copy${path}`)?.data) !== 'after')).toEqual([])
})
