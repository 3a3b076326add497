import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { HookBridge } from '../../src/story/hook-bridge.ts'
import { temporary } from '../temporary.ts'

const run = promisify(execFile)

test('a hook is a program that ends when this process has done its work: fence says that no writer is left, a failure is told', async () => {
  const asked: string[] = []
  await using bridge = await HookBridge.open(temporary(), {
    fence: async side => {
      await new Promise(done => setTimeout(done, 60))
      asked.push(`fence ${side}`)
    },
    unfence: async side => {
      asked.push(`unfence ${side}`)
      throw new Error('writer 2 failed')
    },
  })
  const hook = (name: string, side: string) =>
    run(join(bridge.directory, name), [], { env: { KMIG_HOOK: name, KMIG_SIDE: side } })
  expect(await hook('fence', 'old')).toEqual({ stdout: 'writers-left=0\n', stderr: '' })
  expect(asked).toEqual(['fence old'])
  await expect(hook('unfence', 'new')).rejects.toMatchObject({ code: 1, stderr: 'writer 2 failed' })
  expect((await hook('fence', 'new')).stdout).toBe('writers-left=0\n')
  expect(asked).toEqual(['fence old', 'unfence new', 'fence new'])
})
