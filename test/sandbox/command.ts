const [name = '', ...flags] = process.argv.slice(2)
const { default: Command } = await import(`../../commands/sandbox/${name}.ts`)
await Command.run(flags, import.meta.url)
