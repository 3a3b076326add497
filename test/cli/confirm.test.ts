import { PassThrough } from 'node:stream'
import { describe, expect, test } from 'vitest'
import { confirm } from '../../src/cli/confirm.ts'

const terminal = (isTTY: boolean) => Object.assign(new PassThrough(), { isTTY })
const asked = (answer: string, expect?: string) => {
  const [input, output] = [terminal(true), new PassThrough()]
  input.write(`${answer}\n`)
  const { signal } = new AbortController()
  return confirm({ ask: 'Write?', flag: '--yes', signal, input, output, ...(expect ? { expect } : {}) })
}

describe('a question on a terminal', () => {
  const rows: [answer: string, expected: string | undefined, agreed: boolean][] = [
    ['yes', undefined, true],
    [' yes ', undefined, true],
    ['y', undefined, false],
    ['', undefined, false],
    ['old', 'old', true],
    ['yes', 'old', false],
  ]
  for (const [answer, expected = 'yes', agreed] of rows) {
    test(`that expects '${expected}' takes '${answer}' for ${agreed ? 'yes' : 'no'}`, async () => {
      expect(await asked(answer, expected)).toBe(agreed)
    })
  }
  test('ends with the signal', async () => {
    const stop = new AbortController()
    const answer = confirm({
      ask: 'Write?',
      flag: '--yes',
      signal: stop.signal,
      input: terminal(true),
      output: new PassThrough(),
    })
    stop.abort()
    await expect(answer).rejects.toMatchObject({ name: 'AbortError' })
  })
})

test('a question that nobody can answer names the flag', async () => {
  const { signal } = new AbortController()
  await expect(
    confirm({ ask: 'Write?', flag: '--yes', signal, input: terminal(false) }),
  ).rejects.toMatchObject({
    code: 'NEEDS_CONSENT',
    exit: 4,
    suggestions: ['add --yes'],
  })
})
