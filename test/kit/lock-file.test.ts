import { fork } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { LockFile, lockHolder } from '../../src/kit/index.ts'
import { temporary } from '../temporary.ts'

const CHILD = new URL('./lock-child.ts', import.meta.url).pathname

const holder = async (path: string) => {
  const child = fork(CHILD, [path], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  const [said] = await once(child, 'message')
  return { child, said: said as 'held' | 'LOCKED' }
}

test('a lock has one owner, who is named to others, and can be taken again when given back', async () => {
  const path = join(temporary(), 'locks', 'one.lock')
  {
    await using _ = await LockFile.take(path, 'mirror m')
    expect(lockHolder(path)).toMatchObject({ pid: process.pid, what: 'mirror m' })
    await expect(LockFile.take(path, 'mirror m')).rejects.toMatchObject({
      code: 'LOCKED',
      exit: 8,
      message: expect.stringContaining(`process ${process.pid}`),
    })
    expect((await holder(path)).said).toBe('LOCKED')
  }
  expect(lockHolder(path)).toBeUndefined()
  expect((await holder(path)).said).toBe('held')
})

test('the lock of a killed owner is taken over at once', async () => {
  const path = join(temporary(), 'one.lock')
  const { child } = await holder(path)
  expect(lockHolder(path)?.pid).toBe(child.pid)
  child.kill('SIGKILL')
  await once(child, 'exit')
  expect(lockHolder(path)).toBeUndefined()
  await using lock = await LockFile.take(path, 'mirror m')
  expect(lockHolder(lock.path)?.pid).toBe(process.pid)
})

test('a pid that was given out again is no owner', async () => {
  const path = join(temporary(), 'one.lock')
  writeFileSync(
    `${path}.7`,
    JSON.stringify({ pid: process.pid, start: 'before', host: hostname(), since: '', what: 'x' }),
  )
  await using _ = await LockFile.take(path, 'y')
  expect(existsSync(`${path}.8`)).toBe(true)
})

test('an owner on another host is believed to live', async () => {
  const path = join(temporary(), 'one.lock')
  writeFileSync(`${path}.7`, JSON.stringify({ pid: 1, start: '1', host: 'elsewhere', since: '', what: 'x' }))
  await expect(LockFile.take(path, 'y')).rejects.toMatchObject({
    code: 'LOCKED',
    message: expect.stringContaining('elsewhere'),
  })
})

test('of many that take over a dead owner at once, one gets it, and nothing but the lock is left', async () => {
  const directory = temporary()
  const path = join(directory, 'one.lock')
  for (let round = 0; round < 3; round++) {
    const takers = await Promise.all(Array.from({ length: 6 }, () => holder(path)))
    expect(takers.filter(({ said }) => said === 'held').length).toBe(1)
    for (const { child } of takers) child.kill('SIGKILL')
    await Promise.all(takers.map(({ child }) => child.exitCode ?? child.signalCode ?? once(child, 'exit')))
  }
  expect(readdirSync(directory).filter(name => !name.startsWith('.')).length).toBe(1)
})
