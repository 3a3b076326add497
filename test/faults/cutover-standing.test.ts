import { afterAll, beforeAll, expect, test } from 'vitest'
import { denialsOf } from '../../src/cutover/fences/acl-deny.ts'
import { cutoverStatus } from '../../src/cutover/index.ts'
import { Run } from '../../src/cutover/run-directory.ts'
import { letIn } from '../../src/cutover/standing.ts'
import type { In } from '../../src/cutover/states.ts'
import { type Acl, listAcls } from '../../src/kafka/index.ts'
import { ACLS, allow, FenceWorld, sortedAcls, TOPICS } from '../fence-world.ts'
import { servers } from '../sandbox-helper.ts'

const DENIED = denialsOf(TOPICS, ['User:*'])

servers('a way back by ACLs, of which no hook tells that all clients have left', () => {
  let f: FenceWorld
  beforeAll(async () => {
    f = await FenceWorld.secured(ACLS)
  })
  afterAll(async () => await f?.[Symbol.asyncDispose]())

  /** A client that runs on, on the new cluster. */
  const send = () => f.send('new')
  const onNew = (acls: readonly Acl[]) =>
    expect
      .poll(async () => sortedAcls(await listAcls(f.world.next)), { timeout: 60_000 })
      .toEqual(sortedAcls(acls))
  const standing = async () => (await cutoverStatus({ stateDir: f.stateDir })).standing

  test('it stays shut to them, and status says so, until clients may come again: cut over, back, over, back, and opened by name; nothing is lost or twice', async () => {
    const hooks = await f.hooks({ 'reload-clients': () => f.restart() })
    const deny = [...hooks, '--fence', 'acl-deny', '--accept-producer-errors', '--soak']
    const before = await f.traces(f.world.old)
    let last = ''
    for (const round of ['first', 'second']) {
      const run = f.cutover(...deny)
      await run.says('\nswitched:')
      expect([round, ...f.crowd.at]).toEqual([round, f.bootstrap('new')])
      await onNew(ACLS)
      expect(await standing()).toEqual([])
      await run.says('\nsoaking:')
      await f.written()

      const back = f.kmig('cutover', 'rollback')
      await back.well()
      expect(await run.ended).toBe(0)
      last = /cutover rollback --run (\S+) --clients-left/.exec(back.said)?.[1] ?? ''
      expect(back.said).toContain('KEPT OFF the new cluster still')
      await expect(send()).rejects.toThrow(/[Nn]ot authorized/)
      await f.restart()
      expect([...f.crowd.at]).toEqual([f.bootstrap('old')])
      await f.written()
      await f.sameTraces(f.world.old, before)
      await onNew([...ACLS, ...DENIED])
      expect(await standing()).toEqual([
        { run: last, what: expect.arrayContaining(TOPICS.map(name => expect.stringContaining(name))) },
      ])
    }
    const status = f.kmig('cutover', 'status')
    await status.well()
    expect(status.said + status.stdout).toContain(`kmig cutover rollback --run ${last} --clients-left`)
    const opened = f.kmig('cutover', 'rollback', '--run', last, '--clients-left')
    await opened.well()
    expect(opened.said).toContain('writers are not kept off the new cluster any more')
    await onNew(ACLS)
    expect(await standing()).toEqual([])
    await f.kmig('cutover', 'rollback', '--run', last, '--clients-left').well()
    expect(await f.judge(f.world.old)).toMatchObject({ lost: 0, repeated: 0, faults: [] })
    await send()
  })

  test('a cutover of some of the topics opens these alone; the rest is still known', async () => {
    const { clusterId } = f.world.next
    const side = (id: string) => ({ name: id, clusterId: id, bootstrap: [] })
    const subject = { mirror: 'part', discovery: '', topics: [], exclude: [], groups: [] }
    const ends = { from: side('old'), to: { ...side('new'), clusterId } }
    {
      await using run = await Run.begin(f.stateDir, { ...subject, ...ends }, '99990101-000000-part')
      const plan = { driver: 'acl-deny', side: 'new', topics: TOPICS, actions: [], prior: { make: DENIED } }
      await run.append(
        {
          at: 'rolled-back',
          plan: { root: '', files: [] },
          cut: {},
          standing: plan,
        } as unknown as In<'rolled-back'>,
        0,
      )
    }
    await allow(f.world.next, DENIED)
    const { signal } = new AbortController()
    const where = { stateDir: f.stateDir, mirror: 'another', next: f.world.next, signal }
    await letIn([TOPICS[0]], where)
    await onNew([...ACLS, ...DENIED.slice(1)])
    expect(await standing()).toMatchObject([{ what: [expect.stringContaining(TOPICS[1])] }])
    await letIn(['unrelated', TOPICS[1]], where)
    await onNew(ACLS)
    expect(await standing()).toEqual([])
  })
})
