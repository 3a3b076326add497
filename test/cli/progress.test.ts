import { Writable } from 'node:stream'
import { describe, expect, test } from 'vitest'
import { toJson } from '../../src/cli/json.ts'
import { linesFor, type ProgressStyle } from '../../src/cli/progress.ts'
import { Secret } from '../../src/config/index.ts'
import { KmigError } from '../../src/kit/index.ts'

const shown = async (style: ProgressStyle, tty = false) => {
  let text = ''
  const sink = new Writable({
    write: (chunk, _encoding, done) => {
      text += chunk
      done()
    },
  })
  const stream = Object.assign(sink, { isTTY: tty, columns: 80 }) as unknown as NodeJS.WriteStream
  {
    await using lines = await linesFor(style, stream)
    lines.say('first')
    for (let n = 0; n <= 10; n++) lines.move({ text: `step ${n}`, part: n / 10 })
    lines.say('last')
  }
  return text
}

describe('progress', () => {
  test('as plain lines says what stays, and what moves every 10 s only', async () => {
    expect(await shown('plain')).toBe('first\nlast\n')
  })
  test('as JSON is a line for each', async () => {
    const lines = (await shown('json'))
      .trimEnd()
      .split('\n')
      .map(line => JSON.parse(line))
    expect(lines).toHaveLength(13)
    expect(lines.at(-2)).toEqual({ text: 'step 10', part: 1 })
  })
  test('as none is silence', async () => {
    expect(await shown('none')).toBe('')
  })
  test('on a terminal leaves the lines that stay, and the cursor', async () => {
    const text = await shown('bars', true)
    expect(text).toContain('first\n')
    expect(text).toContain('last\n')
    expect(text).toContain('step 10')
    expect(text.lastIndexOf('\u001b[?25h')).toBeGreaterThan(text.lastIndexOf('\u001b[?25l'))
  })
})

test('at the JSON border 64-bit numbers are strings, maps objects, errors codes, secrets nothing', () => {
  const value = {
    ...{ big: 2n ** 63n, map: new Map([['a', 1n]]), set: new Set([1]), left: undefined },
    ...{ error: new KmigError('LOCKED', 'x'), secret: new Secret('hunter2') },
  }
  expect(toJson(value)).toEqual({
    ...{ big: '9223372036854775808', map: { a: '1' }, set: [1] },
    ...{ error: { code: 'LOCKED', message: 'x' }, secret: '[redacted]' },
  })
})
