import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { findClusters } from '../../src/config/index.ts'
import { isKmigError, type KmigError } from '../../src/kit/index.ts'
import { temporary } from '../temporary.ts'

const thrown = (work: () => unknown): KmigError => {
  try {
    work()
  } catch (e) {
    if (isKmigError(e)) return e
    throw e
  }
  throw new Error('nothing was thrown')
}
const withConfig = (text: string, files: Record<string, string> = {}) => {
  const cwd = temporary()
  writeFileSync(join(cwd, 'kmig.yaml'), text)
  for (const [name, content] of Object.entries(files)) writeFileSync(join(cwd, name), content)
  return { cwd, file: join(cwd, 'kmig.yaml'), clusters: findClusters({ cwd, env: { HOME: cwd } }) }
}

const FULL = `clusters:
  old: { bootstrap: [127.1.0.1:9092], zookeeper: "127.1.0.9:2181/kafka", properties: old.properties }
  new: { bootstrap: "127.1.1.1:9092,127.1.1.2:9092" }
  zk: { zookeeper: 127.1.0.9:2181 }
`

describe('a name', () => {
  test('gives bootstrap, zookeeper and client properties relative to the file', () => {
    const { clusters, cwd } = withConfig(FULL, { 'old.properties': 'client.id=me\nacks=1\n' })
    expect(clusters.kafka('old')).toEqual({
      name: 'old',
      bootstrap: [{ host: '127.1.0.1', port: 9092 }],
      zookeeper: '127.1.0.9:2181/kafka',
      clientId: 'me',
      security: { protocol: 'PLAINTEXT' },
      warnings: [`${join(cwd, 'old.properties')}: kmig makes no use of acks`],
    })
    expect(clusters.kafka('new').bootstrap).toHaveLength(2)
    expect(clusters.zookeeper('zk')).toBe('127.1.0.9:2181')
  })
  test('that is unknown lists the known ones', () => {
    const { clusters, file } = withConfig(FULL)
    const e = thrown(() => clusters.kafka('odl'))
    expect(e).toMatchObject({ code: 'UNKNOWN_CLUSTER', exit: 2 })
    expect(e.message).toBe(`there is no cluster 'odl' in ${file}; it has old, new, zk`)
  })
  test('of an object in JavaScript is as unknown as others', () => {
    expect(thrown(() => withConfig(FULL).clusters.kafka('constructor')).code).toBe('UNKNOWN_CLUSTER')
  })
  test('without any file lists the places searched', () => {
    const cwd = temporary()
    const e = thrown(() => findClusters({ cwd, env: { XDG_CONFIG_HOME: '/nowhere' } }).kafka('old'))
    expect(e.message).toContain(`searched ${cwd}/kmig.yaml, /nowhere/kmig/kmig.yaml`)
  })
  test('without the key that is needed says which', () => {
    const { clusters } = withConfig(FULL)
    expect(thrown(() => clusters.kafka('zk')).message).toContain('has no bootstrap')
    expect(thrown(() => clusters.zookeeper('new')).message).toContain('has no zookeeper')
  })
  test('with a wrong address says what is wrong with it', () => {
    const { clusters } = withConfig('clusters: { old: { bootstrap: [nohost] } }')
    expect(thrown(() => clusters.kafka('old')).code).toBe('BAD_ADDRESS')
  })
})

describe('an address', () => {
  const broken = () => withConfig('clusters: [').clusters
  test('needs no kmig.yaml, not even one that parses', () => {
    expect(broken().kafka('h1:1,h2:2')).toEqual({
      name: 'h1:1,h2:2',
      bootstrap: [
        { host: 'h1', port: 1 },
        { host: 'h2', port: 2 },
      ],
    })
    expect(broken().zookeeper('h1:2181/chroot')).toBe('h1:2181/chroot')
  })
  for (const text of [':9092', 'host:', 'host:99999', 'host:9092,', 'host:port'])
    test(`'${text}' is BAD_ADDRESS`, () => {
      expect(thrown(() => broken().kafka(text))).toMatchObject({ code: 'BAD_ADDRESS', exit: 2 })
    })
})

describe('the file is the first of', () => {
  test('--config, KMIG_CONFIG, the working directory, the user configuration directory', () => {
    const [cwd, home, other] = [temporary(), temporary(), temporary()]
    const user = join(home, '.config', 'kmig')
    mkdirSync(user, { recursive: true })
    const env = { HOME: home }
    expect(findClusters({ cwd, env }).file).toBeUndefined()
    writeFileSync(join(user, 'kmig.yaml'), FULL)
    expect(findClusters({ cwd, env }).file).toBe(join(user, 'kmig.yaml'))
    writeFileSync(join(cwd, 'kmig.yaml'), FULL)
    expect(findClusters({ cwd, env }).file).toBe(join(cwd, 'kmig.yaml'))
    const named = { ...env, KMIG_CONFIG: join(other, 'a.yaml') }
    expect(findClusters({ cwd, env: named }).file).toBe(join(other, 'a.yaml'))
    expect(findClusters({ cwd, env: named, file: 'b.yaml' }).file).toBe(join(cwd, 'b.yaml'))
  })
  test('a named file that is absent is an error, never the next place', () => {
    const { cwd } = withConfig(FULL)
    const e = thrown(() => findClusters({ cwd, env: {}, file: 'b.yaml' }).kafka('old'))
    expect(e.code).toBe('CONFIG_INVALID')
    expect(e.message).toContain(join(cwd, 'b.yaml'))
  })
})

describe('a fault in kmig.yaml is told as file:line:column', () => {
  const rows: [fault: string, text: string, at: string, what: RegExp][] = [
    ['a list that is open', 'clusters:\n  old: { bootstrap: [a:1 }\n', '2:26', /Flow sequence/],
    ['a key twice', 'clusters:\n  a: { zookeeper: x:1 }\n  a: { zookeeper: x:1 }\n', '3:3', /unique/],
    ['a key that is unknown', 'clusters:\n  old:\n    bootstap: a:1\n', '3:5', /unknown key 'bootstap'/],
    ['a top-level key that is unknown', 'cluster: {}\nclusters: {}\n', '1:1', /unknown key 'cluster'/],
    ['a value of a wrong type', 'clusters:\n  old: { zookeeper: [a] }\n', '2:21', /clusters.old.zookeeper/],
    ['an empty list', 'clusters:\n  old: { bootstrap: [] }\n', '2:21', /clusters.old.bootstrap/],
    ['a file without clusters', 'foo: 1\n', '1:1', /clusters/],
    ['an empty file', '', '1:1', /the file/],
  ]
  for (const [fault, text, at, what] of rows) {
    test(`${fault}: ${at}`, () => {
      const { clusters, file } = withConfig(text)
      const e = thrown(() => clusters.kafka('old'))
      expect(e).toMatchObject({ code: 'CONFIG_INVALID', exit: 2 })
      expect(e.message).toContain(`${file}:${at}: `)
      expect(e.message).toMatch(what)
    })
  }
})
