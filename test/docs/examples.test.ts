import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { allCommands, flagsOf } from '../cli/all-commands.ts'

const root = new URL('../..', import.meta.url).pathname
const commands = await allCommands()

/** `kmig ...` in code, inline or in a block, without comment and npx. */
const examplesOf = (text: string): string[] => {
  const blocks = [...text.matchAll(/^```\n(.*?)^```/gms)].map(([, block = '']) => block).join('\n')
  const lines = [...blocks.matchAll(/^(?:npx )?kmig ([^#\n]+)/gm), ...text.matchAll(/`kmig ([a-z][^`\n]*)`/g)]
  return lines.map(([, line = '']) => line.trim())
}

const commandOf = (words: string[]) =>
  commands.get(words.slice(0, 2).join(' ')) ?? commands.get(words[0] ?? '')

describe('examples use commands and flags that exist', () => {
  for (const file of ['README.md', ...globSync('docs/*.md', { cwd: root })].sort()) {
    const examples = [...new Set(examplesOf(readFileSync(join(root, file), 'utf8')))]
    if (examples.length === 0) continue
    test(`${file} (${examples.length})`, () => {
      for (const example of examples) {
        const words = example.split(/\s+/)
        const command = commandOf(words)
        expect(command, example).toBeDefined()
        const known = command ? Object.keys(flagsOf(command)) : []
        const used = words.filter(word => word.startsWith('--')).map(word => word.slice(2).split('=')[0])
        expect(known, example).toEqual(expect.arrayContaining(used))
      }
    })
  }
  for (const [name, command] of commands) {
    const examples = (command.examples ?? []).filter(example => typeof example === 'string')
    if (examples.length === 0) continue
    test(`kmig ${name} --help (${examples.length})`, () => {
      for (const example of examples) {
        const words = example.replace('<%= config.bin %> ', '').split(/\s+/)
        expect(commandOf(words), example).toBe(command)
        const used = words.filter(word => word.startsWith('--')).map(word => word.slice(2).split('=')[0])
        expect(Object.keys(flagsOf(command)), example).toEqual(expect.arrayContaining(used))
      }
    })
  }
})
