import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'vitest'
import { messageOf } from '../src/kit/index.ts'
import {
  Sandbox,
  type SandboxCluster,
  type SandboxOptions,
  type Spec,
  sandboxEnvironment,
} from '../src/sandbox/index.ts'

/** The two ends of a migration: old with ZooKeeper, new with KRaft and a ZooKeeper beside it. */
export const OLD: Spec = { kind: 'kafka-zk', version: '3.9.2', brokers: 1 }
export const NEW: Spec = { kind: 'kraft', version: '4.3.1', brokers: 1, ensemble: 1 }

/** Broker properties that switch ACLs on, for a test whose own connections may do everything. */
export const authorizer = (kind: Spec['kind']): Record<string, string> => ({
  'authorizer.class.name':
    kind === 'kraft'
      ? 'org.apache.kafka.metadata.authorizer.StandardAuthorizer'
      : 'kafka.security.authorizer.AclAuthorizer',
  'super.users': 'User:ANONYMOUS',
  'allow.everyone.if.no.acl.found': 'true',
})

export const sandboxOptions = (): SandboxOptions => ({
  root: join(tmpdir(), 'kmig-test'),
  ...sandboxEnvironment(process.env),
  on: event => process.stderr.write(`sandbox: ${event.kind} ${event.directory}\n`),
})

const missing = await Sandbox.check([OLD, NEW], sandboxOptions()).then(() => undefined, messageOf)

/**
 * `describe` for tests on real servers. Where none can be started it fails in CI, with the reason; elsewhere it is
 * skipped with it.
 */
export const servers = (title: string, body: () => void): void => {
  if (missing === undefined) describe(title, body)
  else if (process.env['CI']) {
    describe(title, () =>
      test('servers can be started', () => {
        throw new Error(missing)
      }),
    )
  } else describe.skip(`${title} (${missing})`, body)
}

export type Pair = AsyncDisposable & { sandbox: Sandbox; old: SandboxCluster; new: SandboxCluster }

/**
 * Both ends, started at once; gone at the end of the block: `await using clusters = await pair()`.
 * In `beforeAll`: end it in `afterAll` by `clusters[Symbol.asyncDispose]()`. KMIG_SANDBOX_KEEP=1 keeps logs and data.
 */
export const pair = async (specs: { old?: Partial<Spec>; new?: Partial<Spec> } = {}): Promise<Pair> => {
  const sandbox = await Sandbox.open(sandboxOptions())
  if (process.env['KMIG_SANDBOX_KEEP']) sandbox.keep()
  try {
    const [old, next] = await Promise.all([
      sandbox.start({ ...OLD, ...specs.old }),
      sandbox.start({ ...NEW, ...specs.new }),
    ])
    return { sandbox, old, new: next, [Symbol.asyncDispose]: () => sandbox[Symbol.asyncDispose]() }
  } catch (e) {
    await sandbox[Symbol.asyncDispose]()
    throw e
  }
}
