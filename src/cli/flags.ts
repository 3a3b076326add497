import { Flags } from '@oclif/core'
import {
  type HostPort,
  KmigError,
  parseBytes,
  parseDuration,
  parseHostPort,
  shortDuration,
} from '../kit/index.ts'

/** A length of time, in ms once parsed: `10s`, `2m`, `7d`. */
export const durationFlag = Flags.custom<number>({
  helpValue: '<duration>',
  parse: async text => parseDuration(text),
  defaultHelp: async ({ options }) =>
    typeof options.default === 'number' ? shortDuration(options.default) : undefined,
})

/** A number of bytes once parsed: `500kB`, `10MB`. */
export const bytesFlag = Flags.custom<number>({
  helpValue: '<bytes>',
  parse: async text => parseBytes(text),
})

/** Where to listen: `host:port`, or a port of 127.0.0.1. */
export const listenFlag = Flags.custom<HostPort>({
  helpValue: '<host:port>',
  parse: async text => parseHostPort(/^:?\d+$/.test(text) ? `127.0.0.1:${text.replace(':', '')}` : text),
})

/** A number that counts something, 1 or more unless `min` says else. */
export const countFlag = Flags.custom<number, { min?: number; max?: number }>({
  helpValue: '<n>',
  parse: async (text, _context, options) => {
    const { min = 1, max = Number.MAX_SAFE_INTEGER } = options
    const n = /^\d+$/.test(text) ? Number(text) : Number.NaN
    if (n >= min && n <= max) return n
    throw new KmigError('USAGE', `'${text}' is not a whole number from ${min} to ${max}`)
  },
})

export const PROGRESS = ['auto', 'plain', 'json', 'none'] as const

/** Flags of every command. */
export const globalFlags = {
  json: Flags.boolean({
    summary: 'print one JSON object on stdout',
    helpGroup: 'GLOBAL',
    exclusive: ['json-stream'],
  }),
  'json-stream': Flags.boolean({
    summary: 'print events as JSON on stdout, one a line, the report last',
    helpGroup: 'GLOBAL',
  }),
  quiet: Flags.boolean({ summary: 'print only errors and the result', helpGroup: 'GLOBAL' }),
  progress: Flags.option({
    summary: 'how to show progress on stderr; auto: bars on a terminal, else a line every 10 s',
    options: PROGRESS,
    default: 'auto',
    helpGroup: 'GLOBAL',
  })(),
  config: Flags.string({
    summary: 'file with the named clusters; default kmig.yaml here or in the user configuration directory',
    helpValue: '<file>',
    helpGroup: 'GLOBAL',
  }),
  'state-dir': Flags.string({
    summary: 'directory of locks, journals and saved files',
    helpValue: '<dir>',
    helpGroup: 'GLOBAL',
  }),
}

/** `--from` and `--to`: a name from kmig.yaml, or an address. */
export const clusterFlags = {
  from: Flags.string({
    summary: 'cluster to copy from: a name or host:port,...',
    helpValue: '<cluster>',
    default: 'old',
  }),
  to: Flags.string({
    summary: 'cluster to copy to: a name or host:port,...',
    helpValue: '<cluster>',
    default: 'new',
  }),
}

/** Which topics a command is about. */
export const topicFlags = {
  topics: Flags.string({
    summary: 'topics to take (glob, repeatable); default all that do not start with __',
    multiple: true,
    helpValue: '<glob>',
  }),
  exclude: Flags.string({
    summary: 'topics to leave out (glob, repeatable)',
    multiple: true,
    helpValue: '<glob>',
  }),
}

export const groupFlags = {
  groups: Flags.string({
    summary: 'consumer groups to take (glob, repeatable); default all',
    multiple: true,
    helpValue: '<glob>',
  }),
}

/** How fast a mirror may go, with how much memory, and where that is seen. */
export const paceFlags = {
  'max-rate': bytesFlag({
    summary: 'bytes of record batches to copy a second at most, over all partitions',
  }),
  memory: bytesFlag({ summary: 'memory to stay within, about; default 256MB' }),
  metrics: listenFlag({
    summary: 'serve metrics for Prometheus here, at /metrics; a port alone is of 127.0.0.1',
  }),
}

/** Some of a closed list of words: `a,b`. */
export const listFlag = <Word extends string>(words: readonly Word[], summary: string) =>
  Flags.custom<readonly Word[]>({
    summary,
    helpValue: '<list>',
    parse: async text => {
      const wrong = text.split(',').find(each => !(words as readonly string[]).includes(each))
      if (wrong === undefined) return text.split(',') as Word[]
      throw new KmigError('USAGE', `'${wrong}' in '${text}' is none of ${words.join(',')}`, {
        try: [`name some of ${words.join(',')}`],
      })
    },
  })()

export const nameFlag = {
  name: Flags.string({ summary: "name of the mirror; default the source's cluster id", helpValue: '<name>' }),
}
