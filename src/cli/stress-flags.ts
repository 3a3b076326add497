import { Flags } from '@oclif/core'
import { KmigError } from '../kit/index.ts'
import { countFlag, durationFlag } from './flags.ts'

const CODECS = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const

/** Where `kmig stress` writes, for how long, and what happens meanwhile. */
export const stressFlags = {
  cluster: Flags.string({
    summary: 'cluster: a name or host:port,...',
    helpValue: '<cluster>',
    exclusive: ['from', 'to'],
  }),
  from: Flags.string({
    summary: 'cluster to write to at first',
    helpValue: '<cluster>',
    dependsOn: ['to'],
  }),
  to: Flags.string({
    summary: 'cluster that must hold all in the end',
    helpValue: '<cluster>',
    dependsOn: ['from'],
  }),
  discovery: Flags.string({
    summary: 'directory of discovery files that clients follow at each start',
    helpValue: '<dir>',
  }),
  topic: Flags.string({
    summary: 'topic; made if it is not there',
    default: 'kmig-stress',
    helpValue: '<name>',
    parse: async name => {
      if (/^[\w.-]{1,249}$/.test(name) && name !== '.' && name !== '..') return name
      const form = "up to 249 letters, digits, '.', '_' and '-'"
      throw new KmigError('USAGE', `'${name}' can't be a topic's name: it has ${form}`)
    },
  }),
  duration: durationFlag({ summary: 'how long to write', default: 60_000 }),
  'restart-every': durationFlag({ summary: 'start each client anew so often; default never' }),
  'pause-file': Flags.string({
    summary: 'writers stop while this file exists; when it is gone all clients start anew',
    helpValue: '<file>',
  }),
  settle: durationFlag({ summary: 'how long records may be on their way at the end', default: 60_000 }),
  journals: Flags.string({
    summary: 'directory of the journals; default in the state directory',
    helpValue: '<dir>',
  }),
}

/** How much. */
export const loadFlags = {
  partitions: countFlag({ summary: 'partitions of a topic that is made', default: 6, max: 10_000 }),
  writers: countFlag({ summary: 'processes that write', default: 2, max: 200 }),
  readers: countFlag({
    summary: 'processes that read, each with a group of its own',
    default: 1,
    min: 0,
    max: 200,
  }),
  rate: countFlag({
    summary: 'records a second, of all writers together; 0 as fast as they go',
    default: 1_000,
    min: 0,
  }),
  batch: countFlag({ summary: 'records of a batch', default: 10, max: 10_000 }),
  bytes: countFlag({ summary: 'bytes of a value', default: 200, max: 900_000 }),
  codec: Flags.option({ summary: 'compression', options: CODECS, default: 'none' })(),
}
