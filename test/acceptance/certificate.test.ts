import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  type Certificate,
  type CheckedReport,
  checkCertificate,
  checkPort,
  checkText,
  writeCertificate,
} from '../../src/cutover/certificate/index.ts'
import { commitOffsets, createTopics, deleteTopics, type NewRecord } from '../../src/kafka/index.ts'
import { Journal, parseBootstrap } from '../../src/kit/index.ts'
import { input, sha } from '../cutover/certificate/input.ts'
import { MirrorWorld } from '../mirror-world.ts'
import { servers } from '../sandbox-helper.ts'

servers('the certificate of a cutover', () => {
  let world: MirrorWorld
  let directory: string
  let path: string
  beforeAll(async () => {
    world = await MirrorWorld.open()
    directory = join(world.stateDir, 'run')
    path = join(directory, 'certificate.json')
    mkdirSync(join(directory, 'files'), { recursive: true })
  })
  afterAll(async () => await world?.[Symbol.asyncDispose]())

  const signal = new AbortController().signal
  const sides = () => ({
    from: { name: 'old', bootstrap: parseBootstrap(world.bootstrap('old')) },
    to: { name: 'new', bootstrap: parseBootstrap(world.bootstrap('new')) },
  })
  const TOPICS = ['plain', 'moved', 'hand']
  const hand = (value: string): NewRecord[] =>
    Array.from({ length: 20 }, (_, i) => ({
      timestamp: BigInt(i + 1),
      value: Buffer.from(i === 7 ? value : `v${i}`),
    }))
  const handMade = async (value: string) => {
    await createTopics(world.next, [{ name: 'hand', partitions: 1, replicationFactor: 1 }])
    await world.write(world.next, 'hand', hand(value))
  }
  const check = () => checkCertificate({ path, signal })
  const found = ({ findings }: CheckedReport, outcome: 'differs' | 'cannot') =>
    findings
      .filter(each => each.outcome === outcome)
      .map(({ kind, where, text }) => `${kind} ${where}: ${text}`)

  test('is made of digests before and inside the fence, and holds against both clusters, the files, the groups, journal and plan', async () => {
    await world.make('plain', 2)
    await world.more('plain', 0, { batches: 67, records: 1_000, size: 20, codec: 1 })
    await world.more('plain', 1, { batches: 2, records: 10 })
    await world.fill('moved', { batches: 5, records: 10 })
    await world.old.deleteRecords([{ topic: 'moved', partition: 0, offset: 15n }])
    await world.make('hand')
    await world.write(world.old, 'hand', hand('same'))
    await handMade('same')
    const copy = async () => {
      await world.mirror('cert', ['plain'])
      await world.mirror('cert', ['moved'], { offsets: 'translated' })
    }
    await copy()
    const port = checkPort({ ...sides(), name: 'cert', topics: TOPICS, directory, signal })
    const base = await port.base()
    expect(base.differences).toEqual([])
    for (const topic of ['plain', 'moved']) await world.more(topic, 0, { batches: 3, records: 10 })
    await copy()
    const ends = await world.ends(world.old, TOPICS)
    const cut = Object.fromEntries([...ends].map(([where, end]) => [where, String(end)]))
    const delta = await port.delta(cut)
    expect(delta.differences).toEqual([])
    expect(delta.partitions.find(each => each.topic === 'plain' && each.partition === 0)).toMatchObject({
      ...{ from: '67000', to: '67030', records: '30', equal: true },
    })
    expect(Number(delta.bytes)).toBeLessThan(500_000)

    await commitOffsets(world.next, 'billing', [{ topic: 'plain', partition: 0, offset: 90n, metadata: '' }])
    writeFileSync(join(directory, 'files', 'generic.yaml'), 'after')
    const plan = {
      ...input().plan,
      from: { ...input().plan.from, clusterId: world.old.clusterId, bootstrap: [world.bootstrap('old')] },
      to: { ...input().plan.to, clusterId: world.next.clusterId, bootstrap: [world.bootstrap('new')] },
      topics: [],
    }
    const { hash: _, ...unhashed } = plan
    const hash = sha(sorted(unhashed))
    writeFileSync(join(directory, 'plan.json'), JSON.stringify({ ...plan, hash }))
    await using journal = await Journal.open<unknown>(join(directory, 'cutover.journal'))
    await journal.append({ one: 1 })
    const journalSha256 = journal.head
    await journal.append({ two: 2 })
    const header = { ...input().header, discovery: join(directory, 'files'), mirror: 'cert' }
    const offsets = [{ group: 'billing', topic: 'plain', partition: 0, from: '90', to: '90', reread: '0' }]
    const written = await writeCertificate(
      input({ ...{ directory, cut, base, delta, header, offsets, journalSha256 }, plan: { ...plan, hash } }),
      { old: world.old, next: world.next, signal },
    )
    expect(written).toMatchObject({ path, verdict: 'proved', unexplained: [] })
    const { partitions }: Certificate = JSON.parse(readFileSync(path, 'utf8'))
    expect(
      partitions.map(({ topic, mode, by, records, windows }) => [topic, mode, by, records, windows.length]),
    ).toEqual(
      expect.arrayContaining([
        ['plain', 'identical', 'offset', 67_030, 3],
        ['moved', 'translated', 'ordinal', 65, 2],
        ['hand', 'identical', 'offset', 20, 1],
      ]),
    )
    expect(readFileSync(written.html, 'utf8')).toContain('PROVED')

    const again = await check()
    expect([again.equal, found(again, 'differs'), found(again, 'cannot')], checkText(again)).toEqual([
      true,
      [],
      [],
    ])
    const command = world.run('cutover', 'check', path, '--json')
    expect((await command.ended).code).toBe(0)
    expect(JSON.parse(command.stdout)).toMatchObject({ ok: true, equal: true, verdict: 'proved' })
  })

  test('is still held against what is left when retention has taken some, and against clients that went on', async () => {
    await world.next.deleteRecords([{ topic: 'plain', partition: 0, offset: 100n }])
    await world.old.deleteRecords([{ topic: 'moved', partition: 0, offset: 40n }])
    await world.write(world.next, 'plain', hand('more'), { partition: 1 })
    await commitOffsets(world.next, 'billing', [{ topic: 'plain', partition: 0, offset: 95n, metadata: '' }])
    const report = await check()
    expect([report.equal, found(report, 'differs')]).toEqual([true, []])
    expect(found(report, 'cannot')).toEqual([
      'contents plain-0: offsets before 65536: retention has taken part of 1 window',
      'contents moved-0: offsets before 50: retention has taken part of 1 window',
    ])
    expect(checkText(report)).toContain('THE SAME, as far as it can still be compared')
  })

  test('differs, by name, once a record, an end, a group, a file, the plan, the journal or the certificate itself is another', async () => {
    await deleteTopics(world.next, ['hand'])
    await handMade('other')
    await world.write(world.old, 'plain', hand('late'), { partition: 1 })
    await commitOffsets(world.next, 'billing', [{ topic: 'plain', partition: 0, offset: 80n, metadata: '' }])
    writeFileSync(join(directory, 'files', 'generic.yaml'), 'edited')
    writeFileSync(
      join(directory, 'plan.json'),
      readFileSync(join(directory, 'plan.json'), 'utf8').replace('3.9', '3.8'),
    )
    appendFileSync(
      join(directory, 'cutover.journal'),
      `${JSON.stringify({ at: '', prev: 'x', entry: {} })}\n`,
    )
    const certificate: Certificate = JSON.parse(readFileSync(path, 'utf8'))
    const forged = certificate.partitions.find(({ topic }) => topic === 'moved')?.windows[1]
    if (forged) forged.digestNew = sha('forged')
    writeFileSync(path, JSON.stringify(certificate))
    const report = await check()
    const differs = found(report, 'differs').join('\n')
    for (const text of [
      /^certificate moved-0: its digest is not that of its windows/m,
      /^journal .*does not follow the line before it/m,
      /^plan .*the certificate says/m,
      /^file generic\.yaml: was changed since/m,
      /^ends plain-1: the old cluster ends at 40, the cut was 20/m,
      /^group billing: it went back: plain-0 80 < 90/m,
      /^contents records: changed hand-0: value of the record at offset 7/m,
      /^contents hand-0: new cluster: offsets 0 to 20 are not what they were/m,
      /^contents moved-0: new cluster: offsets 35 to 65 are not what they were/m,
    ])
      expect(differs).toMatch(text)
    expect(
      differs.split('\n').filter(line => line.startsWith('contents')),
      differs,
    ).toHaveLength(3)
    const command = world.run('cutover', 'check', path)
    expect((await command.ended).code).toBe(3)
  })
})

const sorted = (value: unknown): string =>
  JSON.stringify(value, (_, v: unknown) =>
    v !== null && typeof v === 'object' && !Array.isArray(v)
      ? Object.fromEntries(Object.entries(v).sort(([a], [b]) => (a < b ? -1 : 1)))
      : v,
  )
