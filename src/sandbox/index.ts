/**
 * Throw-away clusters of real servers:
 *
 *     await using sandbox = await Sandbox.open({ root: cwd, ...sandboxEnvironment(env) })
 *     const old = await sandbox.start({ kind: 'kafka-zk', version: '3.9.2', brokers: 1 })
 *     old.bootstrap() // 127.S.0.1:9092
 *     await old.node(1).stop('kill')
 *
 * @module
 */
export type { Login } from './client-properties.ts'
export { SandboxCluster } from './cluster.ts'
export type { Credentials, User } from './credentials.ts'
export { Link } from './link/link.ts'
export type { Counters, Direction, Shape } from './link/shape.ts'
export type { Node } from './node.ts'
export { type SandboxEvent, type SandboxOptions, sandboxEnvironment } from './options.ts'
export { type Program, startProgram } from './program.ts'
export { eventText, statusSchema, statusText } from './report.ts'
export { Sandbox } from './sandbox.ts'
export type { Kind, ListenerName, Profile, SecureListener, Spec, Version } from './spec.ts'
export type { Supervised } from './supervised.ts'
export { type Authority, type Certificate, certificateAuthority } from './tls.ts'
export { type ClusterStatus, down, type Status, statusAt, type UpEvent, type UpReport, up } from './up.ts'
