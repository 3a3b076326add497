import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Acl, listAcls } from '../../src/kafka/index.ts'
import { ACLS, aclOf, FenceWorld, READS, sortedAcls, WRITES } from '../fence-world.ts'
import { servers } from '../sandbox-helper.ts'

/** What the new cluster has before: one that the old one has too, and one of its own. */
const THEIRS: Acl[] = [...READS.slice(0, 1), aclOf({ principal: 'User:theirs' })]

servers('a whole cutover by ACLs, with clients that log in and a kmig that is a super user', () => {
  let f: FenceWorld
  let before: { old: Awaited<ReturnType<FenceWorld['traces']>>; next: string[] | undefined }
  let hooks: string[]
  let text: string
  beforeAll(async () => {
    f = await FenceWorld.secured(THEIRS)
    hooks = await f.hooks({
      fence: () => f.crowd.stopWriters(),
      unfence: () => f.crowd.reload(),
      'reload-clients': () => f.restart(),
      rollback: () => f.restart(),
    })
    before = { old: await f.traces(f.world.old), next: sortedAcls(await listAcls(f.world.next)) }
    text = f.text
  })
  afterAll(async () => await f?.[Symbol.asyncDispose]())

  const asBefore = async () => {
    await f.sameTraces(f.world.old, before.old)
    const next = async () => sortedAcls(await listAcls(f.world.next))
    await expect.poll(next, { timeout: 60_000 }).toEqual(before.next)
    expect(f.text).toBe(text)
  }
  const REFUSED = /[Nn]ot authorized/

  test('before the switch the new cluster has all ACLs but those that let clients write; a dead run that is aborted takes exactly those away that it made', async () => {
    const run = f.cutover('--sync-acls', '--postpone', '--fence', 'acl-deny', '--accept-producer-errors')
    await run.says('waits before the fence')
    const held = ACLS.filter(each => !WRITES.includes(each))
    expect(sortedAcls(await listAcls(f.world.next))).toEqual(sortedAcls([...held, ...THEIRS.slice(1)]))
    await expect(f.send('new')).rejects.toThrow(REFUSED)
    run.child.kill('SIGKILL')
    await run.ended
    expect(await f.kmig('cutover', 'abort').ended).toBe(9)
    await asBefore()
  })

  test('as the fence: killed behind it writers are let go on; run, soak and rollback lose and repeat nothing, and leave ACLs and settings as they were', async () => {
    const deny = [...hooks, '--sync-acls', '--fence', 'acl-deny', '--accept-producer-errors', '--soak']
    const killed = f.cutover(...deny)
    await killed.says('\nfenced:')
    killed.child.kill('SIGKILL')
    await killed.ended
    await asBefore()
    await f.written()

    const run = f.cutover(...deny)
    await run.says('\nswitched:')
    await expect(f.send('old')).rejects.toThrow(REFUSED)
    expect(sortedAcls(await listAcls(f.world.next))).toEqual(sortedAcls([...ACLS, ...THEIRS.slice(1)]))
    expect([...f.crowd.at]).toEqual([f.bootstrap('new')])
    await run.says('\nsoaking:')
    await f.written()

    await f.kmig('cutover', 'rollback').well()
    expect(await run.ended).toBe(0)
    expect([...f.crowd.at]).toEqual([f.bootstrap('old')])
    await f.written()
    await asBefore()
  })

  test('as the seal behind a fence by hook: killed when it is engaged it is taken away again; run, soak and rollback lose and repeat nothing, and leave ACLs and settings as they were', async () => {
    const sealed = [...hooks, '--sync-acls', '--seal', 'acl-deny', '--soak']
    const killed = f.cutover(...sealed)
    await killed.says('\nsealing:')
    killed.child.kill('SIGKILL')
    await killed.ended
    await f.written()
    await asBefore()

    const run = f.cutover(...sealed)
    await run.says('\nswitched:')
    await expect(f.send('old')).rejects.toThrow(REFUSED)
    expect([...f.crowd.at]).toEqual([f.bootstrap('new')])
    await run.says('\nsoaking:')
    await f.written()

    await f.kmig('cutover', 'rollback').well()
    expect(await run.ended).toBe(0)
    expect([...f.crowd.at]).toEqual([f.bootstrap('old')])
    await f.written()
    await asBefore()
    expect(await f.judge(f.world.old)).toMatchObject({ lost: 0, repeated: 0, faults: [] })
  })
})
