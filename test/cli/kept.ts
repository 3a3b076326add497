import { type ChildProcess, fork } from 'node:child_process'
import type { Answered, Asked } from './kept-child.ts'

const child = new URL('kept-child.ts', import.meta.url).pathname

/**
 * Runs `kmig ...` from dist, as many times as one likes, in processes that stay: the start of a command costs most of
 * its time. For tests whose promise is not how a process starts, or ends by a signal; those spawn it. Calls side by side
 * have processes of their own.
 */
export const keptKmig = () => {
  const all: ChildProcess[] = []
  const free: ChildProcess[] = []
  const started = (): ChildProcess => {
    const one = fork(child, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
    all.push(one)
    return one
  }
  return {
    run: async (args: string[], { env = {}, cwd = process.cwd() } = {}): Promise<Answered> => {
      const one = free.pop() ?? started()
      const { promise, resolve, reject } = Promise.withResolvers<Answered>()
      const gone = (how: unknown) =>
        reject(new Error(`kmig ${args.join(' ')} ended what was to stay: ${how}`))
      const answered = (message: unknown) => resolve(message as Answered)
      one.on('exit', gone).on('message', answered)
      try {
        one.send({ args, env, cwd } satisfies Asked)
        const answer = await promise
        free.push(one)
        return answer
      } finally {
        one.off('exit', gone).off('message', answered)
      }
    },
    [Symbol.dispose]: () => {
      for (const one of all) if (one.connected) one.disconnect()
    },
  }
}
