import { createInterface } from 'node:readline/promises'
import { KmigError } from '../kit/index.ts'

export type Question = {
  /** What is about to happen, and a question mark. */
  ask: string
  /** What must be typed. Default `yes`. */
  expect?: string
  /** The flag that answers it, such as `--yes`. */
  flag: string
  signal: AbortSignal
  /** Default: the process's own. */
  input?: NodeJS.ReadableStream & { isTTY?: boolean | undefined }
  output?: NodeJS.WritableStream
}

/**
 * Whether a person at a terminal agrees. Where nobody can be asked: NEEDS_CONSENT, which names the flag. A command that
 * was given the flag does not call this.
 */
export const confirm = async (question: Question): Promise<boolean> => {
  const { ask, expect = 'yes', flag, signal, input = process.stdin, output = process.stderr } = question
  if (!input.isTTY) {
    throw new KmigError('NEEDS_CONSENT', `nobody can be asked, as stdin is not a terminal: ${ask}`, {
      try: [`add ${flag}`],
    })
  }
  const terminal = createInterface({ input, output })
  try {
    const answer = await terminal.question(`${ask} Type ${expect}: `, { signal })
    return answer.trim() === expect
  } finally {
    terminal.close()
  }
}
