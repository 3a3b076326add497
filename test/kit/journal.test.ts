import { appendFileSync, existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Journal, readJournal, writeFileAtomic } from '../../src/kit/index.ts'
import { temporary } from '../temporary.ts'

const filled = async (path: string, entries: unknown[]) => {
  await using journal = await Journal.open(path)
  for (const entry of entries) await journal.append(entry)
}

test('a journal gives back what was appended, over several openings', async () => {
  const path = join(temporary(), 'journal')
  expect(readJournal(path).entries).toEqual([])
  await filled(path, [{ a: 1 }, 'zwölf'])
  await filled(path, [null, [3]])
  expect(readJournal(path).entries).toEqual([{ a: 1 }, 'zwölf', null, [3]])
  expect(statSync(path).mode & 0o777).toBe(0o600)
})

test('entries that are appended at the same time are all kept, in the order of the calls', async () => {
  const path = join(temporary(), 'journal')
  await using journal = await Journal.open<number>(path)
  await Promise.all([1, 2, 3].map(n => journal.append(n)))
  await journal.append(4)
  expect(readJournal(path).entries).toEqual([1, 2, 3, 4])
})

test('a last line that a crash tore is cut off, and the journal goes on', async () => {
  const path = join(temporary(), 'journal')
  await filled(path, [1, 2])
  const whole = readFileSync(path, 'utf8')
  for (let length = 1; length < 40; length += 7) {
    writeFileSync(path, whole + whole.slice(0, length).replaceAll('\n', ''))
    await filled(path, [3])
    expect(readJournal(path).entries).toEqual([1, 2, 3])
    writeFileSync(path, whole)
  }
})

test('any other damage is STATE_DAMAGED, with the line', async () => {
  const path = join(temporary(), 'journal')
  await filled(path, ['first', 'second', 'third'])
  const whole = readFileSync(path, 'latin1')
  const inner = whole.slice(0, whole.lastIndexOf('\n', whole.length - 2))
  fc.assert(
    fc.property(fc.nat(inner.length - 1), at => {
      if (whole[at] === '\n') return
      writeFileSync(
        path,
        `${whole.slice(0, at)}${whole[at] === 'x' ? 'y' : 'x'}${whole.slice(at + 1)}`,
        'latin1',
      )
      expect(() => readJournal(path)).toThrow(expect.objectContaining({ code: 'STATE_DAMAGED', exit: 7 }))
    }),
  )
  const lines = whole.split('\n')
  writeFileSync(path, [lines[0], lines[2], ''].join('\n'))
  expect(() => readJournal(path)).toThrow(/line 2/)
})

test('two entries that are equal have different hashes, so one can’t be dropped', async () => {
  const path = join(temporary(), 'journal')
  await filled(path, ['same', 'same', 'same'])
  const lines = readFileSync(path, 'utf8').split('\n')
  writeFileSync(path, [lines[0], lines[2], ''].join('\n'))
  expect(() => readJournal(path)).toThrow(expect.objectContaining({ code: 'STATE_DAMAGED' }))
})

test('a file is replaced whole, with its mode, and no stage is left', async () => {
  const directory = temporary()
  const path = join(directory, 'file')
  await writeFileAtomic(path, 'old')
  await writeFileAtomic(path, Buffer.from('new'))
  appendFileSync(path, '!')
  expect(readFileSync(path, 'utf8')).toBe('new!')
  expect(statSync(path).mode & 0o777).toBe(0o600)
  expect(existsSync(join(directory, `.file.${process.pid}.stage`))).toBe(false)
})
