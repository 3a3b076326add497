import { globSync } from 'node:fs'
import type { Command } from '@oclif/core'

const root = new URL('../..', import.meta.url).pathname

/** Every command's class by what a user types: `sandbox up`. */
export const allCommands = async (): Promise<Map<string, typeof Command>> => {
  const files = globSync('commands/**/*.ts', { cwd: root }).sort()
  const rows = files.map(async file => {
    const name = file
      .slice('commands/'.length, -'.ts'.length)
      .replaceAll('/', ' ')
      .replace(/ index$/, '')
    const { default: command } = (await import(`${root}${file}`)) as { default: typeof Command }
    return [name, command] as const
  })
  return new Map(await Promise.all(rows))
}

/** A command's flags by name, those of every command included. */
export const flagsOf = (command: typeof Command) => ({ ...command.baseFlags, ...command.flags })
