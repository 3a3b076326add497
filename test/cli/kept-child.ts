import { run } from '@oclif/core'

/** One command line for a process that stays, as its own process would have run it. */
export type Asked = { args: string[]; env: Record<string, string>; cwd: string }
export type Answered = { code: number; stdout: string; stderr: string }

const bin = new URL('../../bin/kmig.js', import.meta.url).href
const { failureOf, failureText, isQuietExit } = (await import(
  new URL('../../dist/src/cli/failure.js', import.meta.url).href
)) as typeof import('../../src/cli/failure.ts')
const own = { ...process.env }

/** What is written to an output goes into a text of its own. */
const caught = (stream: NodeJS.WriteStream) => {
  let text = ''
  const write = (chunk: string | Uint8Array, ...more: unknown[]): boolean => {
    text += typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString()
    const done = more.find(one => typeof one === 'function') as (() => void) | undefined
    if (done) process.nextTick(done)
    return true
  }
  stream.write = write as typeof stream.write
  return {
    take: () => {
      const taken = text
      text = ''
      return taken
    },
  }
}
const [stdout, stderr] = [caught(process.stdout), caught(process.stderr)]

const answer = async ({ args, env, cwd }: Asked): Promise<Answered> => {
  for (const name of Object.keys(process.env)) if (!(name in own)) delete process.env[name]
  Object.assign(process.env, own, env)
  process.chdir(cwd)
  process.argv = [process.execPath, new URL(bin).pathname, ...args]
  process.exitCode = 0
  try {
    await run(args, bin)
  } catch (e) {
    const failure = failureOf(e, 'kmig --help')
    if (isQuietExit(e)) process.exitCode = (e as { oclif?: { exit?: number } }).oclif?.exit ?? 0
    else {
      process.exitCode = failure.exit
      process.stderr.write(`${failureText(failure)}\n`)
    }
  }
  const code = Number(process.exitCode ?? 0)
  process.exitCode = 0
  return { code, stdout: stdout.take(), stderr: stderr.take() }
}

process.on('message', async asked => process.send?.(await answer(asked as Asked)))
process.on('disconnect', () => process.exit())
