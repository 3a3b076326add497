import zookeeper from 'node-zookeeper-client'
import { PERM } from '../../src/zookeeper/index.ts'

export type Planted = {
  data?: Buffer | null
  acl?: zookeeper.ACL[]
  mode?: number
}
/** What an ordinary client sees of a znode. */
export type Seen = { data: string | null; acl: string[]; version: number }

/** The client's types leave out what an ACL holds. */
type SeenAcl = { permission: number; id: { scheme: string; id: string } }

const WINDOW = 64
const call = <T>(run: (done: (error: unknown, value: T) => void) => void): Promise<T> =>
  new Promise((resolve, reject) => run((error, value) => (error ? reject(error) : resolve(value))))

/** An ordinary client of another maker: it plants what is copied, and says what the copy looks like. */
export class Witness implements AsyncDisposable {
  readonly client: zookeeper.Client
  private constructor(client: zookeeper.Client) {
    this.client = client
  }
  static async open(address: string): Promise<Witness> {
    const client = zookeeper.createClient(address, { sessionTimeout: 10_000 })
    const connected = new Promise<void>(resolve => client.once('connected', resolve))
    client.connect()
    await connected
    return new Witness(client)
  }

  async plant(path: string, { data = Buffer.from(path), acl, mode = 0 }: Planted = {}): Promise<void> {
    await call(done =>
      this.client.create(path, data as Buffer, acl ?? [aclOfWitness('world', 'anyone')], mode, done),
    )
  }
  async plantAll(paths: readonly string[], planted: Planted = {}): Promise<void> {
    for (let i = 0; i < paths.length; i += WINDOW) {
      await Promise.all(paths.slice(i, i + WINDOW).map(path => this.plant(path, planted)))
    }
  }
  async set(path: string, data: string): Promise<void> {
    await call(done => this.client.setData(path, Buffer.from(data), -1, done))
  }
  async remove(path: string): Promise<void> {
    await call<void>(done => this.client.remove(path, -1, error => done(error, undefined)))
  }
  async setAcl(path: string, acl: zookeeper.ACL[]): Promise<void> {
    await call(done => this.client.setACL(path, acl, -1, done))
  }
  async exists(path: string): Promise<zookeeper.Stat | null> {
    return await call(done => this.client.exists(path, done))
  }
  async children(path: string): Promise<string[]> {
    return await call(done => this.client.getChildren(path, (error, names) => done(error, names)))
  }

  /** Everything from `root` down, by path below it. */
  async tree(root: string): Promise<Map<string, Seen>> {
    const seen = new Map<string, Seen>()
    let level = ['/']
    while (level.length > 0) {
      const below: string[] = []
      for (let i = 0; i < level.length; i += WINDOW / 4) {
        await Promise.all(
          level.slice(i, i + WINDOW / 4).map(async path => {
            const full = root === '/' ? path : path === '/' ? root : root + path
            const [found, names] = await Promise.all([this.#look(full), this.children(full)])
            seen.set(path, found)
            const inside = names.filter(name => !(full === '/' && name === 'zookeeper'))
            below.push(...inside.map(name => (path === '/' ? `/${name}` : `${path}/${name}`)))
          }),
        )
      }
      level = below
    }
    return new Map([...seen].sort(([a], [b]) => (a < b ? -1 : 1)))
  }
  async #look(path: string): Promise<Seen> {
    const [data, acl] = await Promise.all([
      call<{ data: Buffer | null; version: number }>(done =>
        this.client.getData(path, (error, bytes, stat) =>
          done(error, { data: bytes, version: stat?.version }),
        ),
      ),
      call<zookeeper.ACL[]>(done => this.client.getACL(path, (error, list) => done(error, list))),
    ])
    return {
      data: data.data?.toString('base64') ?? null,
      version: data.version,
      acl: (acl as unknown as SeenAcl[]).map(({ permission, id }) => `${id.scheme}:${id.id}:${permission}`),
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const gone = new Promise<void>(resolve => this.client.once('disconnected', resolve))
    this.client.close()
    await gone
  }
}

export const aclOfWitness = (scheme: string, id: string, perms: number = PERM.all): zookeeper.ACL =>
  new zookeeper.ACL(perms, new zookeeper.Id(scheme, id))

/** Trees without their versions: what a copy keeps. */
export const content = (tree: ReadonlyMap<string, Seen>) =>
  [...tree].map(([path, { data, acl }]) => ({ path, data, acl }))
