import zookeeper from 'node-zookeeper-client'

const WORKERS = 10
const call = <T>(run: (done: (error: unknown, value: T) => void) => void): Promise<T> =>
  new Promise((resolve, reject) => run((error, value) => (error ? reject(error) : resolve(value))))

const open = async (address: string): Promise<zookeeper.Client> => {
  const client = zookeeper.createClient(address, { sessionTimeout: 30_000 })
  const connected = new Promise<void>(resolve => client.once('connected', resolve))
  client.connect()
  await connected
  return client
}

/**
 * The copier that one would write first: per znode a read of data, ACL and children, then a create; ten at a
 * time. Run as a program: `node naive-copy.ts host:port/root host:port/root`.
 */
const naiveCopy = async (from: string, to: string): Promise<void> => {
  const root = to.slice(to.indexOf('/'))
  const [source, target] = [await open(from), await open(to.slice(0, to.indexOf('/')))]
  const todo = ['/']
  let left = 1
  const worker = async (): Promise<void> => {
    while (left > 0) {
      const path = todo.pop()
      if (path === undefined) {
        await new Promise(resolve => setImmediate(resolve))
        continue
      }
      const data = await call<Buffer>(done => source.getData(path, (e, bytes) => done(e, bytes)))
      const acl = await call<zookeeper.ACL[]>(done => source.getACL(path, (e, list) => done(e, list)))
      const names = await call<string[]>(done => source.getChildren(path, (e, list) => done(e, list)))
      await call(done => target.create(path === '/' ? root : root + path, data, acl, 0, done))
      for (const name of names) todo.push(path === '/' ? `/${name}` : `${path}/${name}`)
      left += names.length - 1
    }
  }
  await Promise.all(Array.from({ length: WORKERS }, worker))
  for (const client of [source, target]) client.close()
}

const [from = '', to = ''] = process.argv.slice(2)
await naiveCopy(from, to)
