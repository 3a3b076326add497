import type { BaseCommand } from '../../src/cli/index.ts'

/** `kmig zk <name> ...` from the sources. */
const [name = '', ...args] = process.argv.slice(2)
const { default: command } = (await import(`../../commands/zk/${name}.ts`)) as {
  default: typeof BaseCommand & { run(args: string[], url: string): Promise<unknown> }
}
command.id = `zk:${name}`
await command.run(args, import.meta.url)
