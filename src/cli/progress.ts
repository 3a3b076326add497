import { formatDuration } from '../kit/index.ts'

/** Where the work stands: a part of 1 if the whole is known, and what else is worth a line. */
export type Progress = { text: string; part?: number | undefined }

export type ProgressStyle = 'bars' | 'plain' | 'json' | 'none'

/** Lines for people while the work runs: those that stay, and those that move. */
export interface Lines extends AsyncDisposable {
  say(text: string): void
  move(progress: Progress): void
}

const FRAME_MS = 250
const PLAIN_MS = 10_000
const percent = (part: number) => `${Math.floor(Math.min(1, part) * 100)} %`
const plainText = ({ text, part }: Progress) => (part === undefined ? text : `${percent(part)} ${text}`)

/** A line every 10 s, for logs. */
const plain = (write: (line: string) => void): Lines => {
  let next = performance.now() + PLAIN_MS
  const start = performance.now()
  return {
    say: write,
    move(progress) {
      const now = performance.now()
      if (now < next) return
      next = now + PLAIN_MS
      write(`${formatDuration(now - start)}: ${plainText(progress)}`)
    },
    async [Symbol.asyncDispose]() {},
  }
}

/** Four frames a second on a terminal. */
const bars = async (stream: NodeJS.WriteStream): Promise<Lines> => {
  const { default: cliProgress } = await import('cli-progress')
  const multi = new cliProgress.MultiBar({
    stream,
    fps: 1_000 / FRAME_MS,
    clearOnComplete: true,
    hideCursor: true,
    linewrap: false,
    gracefulExit: false,
    format: (_options, params, payload: Progress) => {
      const width = 24
      const full = Math.round(params.progress * width)
      const bar = `[${'='.repeat(full)}${' '.repeat(width - full)}] `
      return payload.part === undefined
        ? payload.text
        : `${bar}${percent(payload.part).padStart(5)} ${payload.text}`
    },
  })
  let bar: ReturnType<typeof multi.create> | undefined
  return {
    say(text) {
      if (bar) multi.log(`${text}\n`)
      else stream.write(`${text}\n`)
    },
    move(progress) {
      bar ??= multi.create(1, 0, progress)
      bar.update(Math.min(1, progress.part ?? 0), progress)
    },
    async [Symbol.asyncDispose]() {
      if (!bar) return
      multi.update() // stop() would drop lines that were said since the last frame
      multi.stop()
    },
  }
}

export const linesFor = async (style: ProgressStyle, stream: NodeJS.WriteStream): Promise<Lines> => {
  const write = (text: string) => stream.write(`${text}\n`)
  switch (style) {
    case 'bars':
      return await bars(stream)
    case 'plain':
      return plain(write)
    case 'json':
      return {
        say: text => write(JSON.stringify({ say: text })),
        move: progress => write(JSON.stringify(progress)),
        async [Symbol.asyncDispose]() {},
      }
    case 'none':
      return { say() {}, move() {}, async [Symbol.asyncDispose]() {} }
    default:
      return style satisfies never
  }
}
