import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type ZkCopyOptions, zkcopy } from '../../src/zkcopy/index.ts'
import { keeping } from '../../src/zkcopy/keep.ts'
import { type FakeOptions, FakeServer, type Fault } from '../zookeeper/fake-server.ts'

const MULTI = 14
const plant = (server: FakeServer, count: number) => {
  server.put('/app', 'root')
  for (let p = 0; p < 5; p++) {
    server.put(`/app/p${p}`, `parent ${p}`)
    for (let i = 0; i < count; i++) server.put(`/app/p${p}/n${i}`, `node ${i}`)
  }
}
const content = (server: FakeServer, root: string) =>
  [...server.nodes]
    .filter(([path]) => path === root || path.startsWith(`${root}/`))
    .map(([path, { data, acl }]) => [path.slice(root.length), String(data), acl.toString('latin1')])
    .sort(([a = ''], [b = '']) => (a < b ? -1 : 1))

const copied = async (
  faults: { source?: FakeOptions; target?: FakeOptions; count?: number },
  options: Partial<ZkCopyOptions> = {},
) => {
  const source = await FakeServer.start(faults.source)
  const target = await FakeServer.start(faults.target)
  plant(source, faults.count ?? 40)
  const run = (more: Partial<ZkCopyOptions> = {}) =>
    zkcopy({
      from: { servers: [source.address], chroot: '/app' },
      to: { servers: [target.address], chroot: '/copy/of/app' },
      batch: 10,
      withinMs: 2_000,
      signal: new AbortController().signal,
      ...options,
      ...more,
    })
  return {
    ...{ source, target, run },
    async [Symbol.asyncDispose]() {
      await source[Symbol.asyncDispose]()
      await target[Symbol.asyncDispose]()
    },
  }
}
const nthMulti = (nth: number, fault: Fault) => {
  let multis = 0
  return ({ opcode }: { opcode: number }) => (opcode === MULTI && ++multis === nth ? fault : undefined)
}

for (const fault of ['lose-request', 'lose-reply', 'cut-reply'] as const) {
  for (const nth of [1, 2, 9, 21]) {
    test(`multi ${nth} under ${fault}: the copy goes on and is equal, a second run writes nothing`, async () => {
      await using fakes = await copied({ target: { fault: nthMulti(nth, fault), resumes: () => true } })
      const report = await fakes.run()
      expect(content(fakes.target, '/copy/of/app')).toEqual(content(fakes.source, '/app'))
      expect(report.repaired).toBeGreaterThan(0)
      expect(await fakes.run()).toMatchObject({ created: 0, updated: 0, multis: 0 })
    })
  }
}

test('connections lost at any requests of either side, sessions expired or not, leave equal trees', async () => {
  const losses = fc.array(fc.nat(60), { maxLength: 4 })
  const kinds = fc.constantFrom<Fault>('lose-request', 'lose-reply', 'cut-reply')
  await fc.assert(
    fc.asyncProperty(losses, losses, kinds, fc.boolean(), async (atSource, atTarget, fault, resumes) => {
      const at =
        (numbers: number[]) =>
        ({ number, opcode }: { number: number; opcode: number }) =>
          opcode !== -11 && numbers.includes(number) ? fault : undefined
      await using fakes = await copied({
        source: { fault: at(atSource), resumes: () => resumes },
        target: { fault: at(atTarget), resumes: () => resumes },
        count: 20,
      })
      await fakes.run()
      expect(content(fakes.target, '/copy/of/app')).toEqual(content(fakes.source, '/app'))
    }),
    { numRuns: 30 },
  )
}, 60_000)

test('replayed versions are exact, whatever connections were lost and however small the multis were', async () => {
  const versions = fc.array(fc.nat(25), { minLength: 3, maxLength: 3 })
  const faults = fc.constantFrom<Fault>('lose-request', 'lose-reply', 'cut-reply')
  const keep = keeping({ versions: true, sequence: [], rules: [] })
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.nat(40), { maxLength: 4 }),
      faults,
      versions,
      versions,
      fc.integer({ min: 1, max: 12 }),
      async (numbers, fault, here, there, batch) => {
        const at = ({ number, opcode }: { number: number; opcode: number }) =>
          opcode !== -11 && numbers.includes(number) ? fault : undefined
        await using fakes = await copied({ target: { fault: at }, count: 1 }, { keep, batch })
        for (const path of ['/copy', '/copy/of', '/copy/of/app', '/copy/of/app/p0'])
          fakes.target.put(path, 'x')
        for (const [i, version] of here.entries()) {
          fakes.source.put(`/app/p0/v${i}`, `v${i}`)
          Object.assign(fakes.source.nodes.get(`/app/p0/v${i}`) ?? {}, { version })
          fakes.target.put(`/copy/of/app/p0/v${i}`, i === 0 ? 'other' : `v${i}`)
          Object.assign(fakes.target.nodes.get(`/copy/of/app/p0/v${i}`) ?? {}, { version: there[i] })
        }
        await fakes.run()
        expect(content(fakes.target, '/copy/of/app')).toEqual(content(fakes.source, '/app'))
        expect(here.map((_, i) => fakes.target.nodes.get(`/copy/of/app/p0/v${i}`)?.version)).toEqual(here)
      },
    ),
    { numRuns: 40 },
  )
}, 60_000)

test('a time to live that the servers do not know is refused by path, with what to set', async () => {
  await using fakes = await copied({ target: { extendedTypes: false }, count: 1 })
  const rules = [{ glob: '/p1/*', type: { kind: 'ttl', ms: 1_000 } as const }]
  await expect(fakes.run({ keep: keeping({ versions: false, sequence: [], rules }) })).rejects.toMatchObject({
    code: 'UNSUPPORTED',
    message: expect.stringContaining('/copy/of/app/p1/n0'),
    suggestions: [expect.stringContaining('extendedTypesEnabled')],
  })
})

test('silence, lost answers and expired sessions at any stage, old servers on either side: equal trees, nothing left open', async () => {
  const silent = fc.record({
    at: fc.nat(45),
    fault: fc.constantFrom<Fault>('silence', 'cut-reply', 'lose-reply'),
  })
  const multiRead = fc.constantFrom('yes' as const, 'unimplemented' as const, 'close' as const)
  const side = fc.record({ silent: fc.array(silent, { maxLength: 2 }), multiRead, resumes: fc.boolean() })
  await fc.assert(
    fc.asyncProperty(side, side, async (atSource, atTarget) => {
      const faulty = ({ silent: faults, resumes, multiRead: reads }: typeof atSource): FakeOptions => ({
        fault: ({ number, opcode }) =>
          opcode === -11 ? undefined : faults.find(({ at }) => at === number)?.fault,
        ...{ timeoutMs: 450, multiRead: reads, addWatch: 'unimplemented', resumes: () => resumes },
      })
      const both = { source: faulty(atSource), target: faulty(atTarget), count: 8 }
      await using fakes = await copied(both, { withinMs: 4_000 })
      await fakes.run()
      expect(content(fakes.target, '/copy/of/app')).toEqual(content(fakes.source, '/app'))
      await expect.poll(() => [fakes.source.open, fakes.target.open]).toEqual([0, 0])
    }),
    { numRuns: 12 },
  )
}, 90_000)

test('one operation that the server closes upon is found by halving, and named', async () => {
  await using fakes = await copied({ target: { maxBytes: 3_000 }, count: 8 })
  fakes.source.put('/app/p1/poison', 'x'.repeat(5_000))
  await expect(fakes.run()).rejects.toMatchObject({
    code: 'ZK',
    message: expect.stringContaining('p1/poison'),
  })
  expect(fakes.target.nodes.has('/copy/of/app/p4')).toBe(true)
}, 60_000)

test('a znode that somebody else writes between our read and our write is read again and put right', async () => {
  let foreign = (): void => {}
  await using fakes = await copied({
    target: {
      fault: ({ opcode }) => {
        if (opcode === MULTI) foreign()
        return undefined
      },
    },
  })
  await fakes.run()
  fakes.source.put('/app/p0', 'new')
  foreign = () => {
    foreign = () => {}
    const node = fakes.target.nodes.get('/copy/of/app/p0')
    if (node) Object.assign(node, { version: node.version + 1, data: Buffer.from('somebody else') })
  }
  const report = await fakes.run()
  expect(report.foreign).toEqual({ count: 1, first: ['/copy/of/app/p0'] })
  expect(content(fakes.target, '/copy/of/app')).toEqual(content(fakes.source, '/app'))
})

test('a parent that somebody deletes on the target during the copy is made again', async () => {
  let multis = 0
  const gone = (): void => {
    for (const path of fakes.target.nodes.keys()) {
      if (path.startsWith('/copy/of/app/p')) fakes.target.nodes.delete(path)
    }
  }
  await using fakes = await copied({
    target: {
      fault: ({ opcode }) => {
        if (opcode === MULTI && ++multis === 4) gone()
        return undefined
      },
    },
  })
  const report = await fakes.run()
  expect(report.repaired).toBeGreaterThan(0)
  await fakes.run()
  expect(content(fakes.target, '/copy/of/app')).toEqual(content(fakes.source, '/app'))
})

test('--rate holds writes back to so many operations a second, and they stay in order', async () => {
  await using fakes = await copied({ count: 20 })
  const start = performance.now()
  const report = await fakes.run({ rate: { operations: 100 } })
  expect(performance.now() - start).toBeGreaterThan(850)
  expect(report).toMatchObject({ created: 108, repaired: 0 })
  expect(content(fakes.target, '/copy/of/app')).toEqual(content(fakes.source, '/app'))
})

test('an aborted copy waits for what is outstanding and writes nothing more', async () => {
  const stop = new AbortController()
  let multis = 0
  await using fakes = await copied({
    target: {
      fault: ({ opcode }) => {
        if (opcode === MULTI && ++multis === 3) stop.abort(new Error('enough'))
        return undefined
      },
    },
  })
  await expect(fakes.run({ signal: stop.signal })).rejects.toThrow('enough')
  const written = fakes.target.nodes.size
  expect(written).toBeGreaterThan(10)
  expect(written).toBeLessThan(200)
  await fakes.run({ signal: new AbortController().signal })
  expect(content(fakes.target, '/copy/of/app')).toEqual(content(fakes.source, '/app'))
})
