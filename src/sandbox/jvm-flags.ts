import type { Profile } from './spec.ts'

const FLAGS: Record<Profile, readonly string[]> = {
  fast: ['-Xms64m', '-Xmx256m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-XX:MaxDirectMemorySize=64m'],
  bench: ['-Xms512m', '-Xmx1g', '-XX:+UseG1GC'],
}

const LOGGER = [
  '-Dorg.slf4j.simpleLogger.showDateTime=true',
  '-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS',
]

export const MAINS = {
  broker: 'kafka.Kafka',
  format: 'kafka.tools.StorageTool',
  zookeeper: 'org.apache.zookeeper.server.ZooKeeperServerMain',
  users: 'kafka.admin.ConfigCommand',
  ensemble: 'org.apache.zookeeper.server.quorum.QuorumPeerMain',
} as const
export type Main = keyof typeof MAINS
/** They run to their end. */
export const TOOLS: readonly Main[] = ['format', 'users']

/** forceSync: a throw-away znode need not survive a power cut. extendedTypesEnabled: containers and TTL znodes. */
const ZOOKEEPER = ['-Dzookeeper.forceSync=no', '-Dzookeeper.extendedTypesEnabled=true']

export type JavaCommand = {
  java: string
  jars: readonly string[]
  main: Main
  profile: Profile
  more: readonly string[]
}

/** The command line up to the main class; its arguments follow. */
export const javaCommand = ({ java, jars, main, profile, more }: JavaCommand): [string, ...string[]] =>
  programCommand({
    java,
    jars,
    main: MAINS[main],
    profile: TOOLS.includes(main) ? 'fast' : profile,
    more: [...(main === 'zookeeper' || main === 'ensemble' ? ZOOKEEPER : []), ...more],
  })

/** The same for a main class that is none of the sandbox's servers. */
export const programCommand = ({
  java,
  jars,
  main,
  profile,
  more,
}: Omit<JavaCommand, 'main'> & { main: string }): [string, ...string[]] => [
  java,
  ...FLAGS[profile],
  '-Djava.awt.headless=true',
  ...LOGGER,
  ...more,
  '-cp',
  jars.join(':'),
  main,
]
