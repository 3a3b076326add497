import { chmodSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readZookeeperProperties, zookeeperWarnings } from '../../src/config/index.ts'

const directory = mkdtempSync(join(tmpdir(), 'kmig-zk-properties-'))
const write = (name: string, text: string, mode = 0o600) => {
  const path = join(directory, name)
  writeFileSync(path, text)
  chmodSync(path, mode)
  return path
}
const jaasFile = (jaas: string, { mode = 0o600, more = '' } = {}) => {
  write('jaas.conf', jaas, mode)
  return write('client.properties', `java.security.auth.login.config=jaas.conf\n${more}`)
}
const MODULE = 'org.apache.zookeeper.server.auth.DigestLoginModule required'
const client = `Server { ${MODULE} user_a="x}y"; };\n/* clients */\nClient {\n  ${MODULE}\n  username="app"\n  password="a}\\"b";\n};\n`

test('user and password come from the section Client of the JAAS file, or from the one that is named', () => {
  const { sasl } = readZookeeperProperties(jaasFile(client))
  expect([sasl?.user, sasl?.password.reveal()]).toEqual(['app', 'a}"b'])
  const more = 'zookeeper.sasl.clientconfig=Other\n'
  const other = readZookeeperProperties(jaasFile(client.replace('Client', 'Other'), { more }))
  expect(other.sasl?.user).toBe('app')
  expect(other.tls).toBeUndefined()
})

for (const [title, jaas, code, why] of [
  ['no such section', client.replace('Client', 'Kafka'), 'CONFIG_INVALID', "no section 'Client'"],
  ['Kerberos', client.replaceAll('DigestLoginModule', 'Krb5LoginModule'), 'UNSUPPORTED', 'Kerberos'],
  ['no password', client.replace(/\n {2}password=.*;/, ';'), 'CONFIG_INVALID', 'no username and password'],
] as const) {
  test(`a JAAS file with ${title} is refused as ${code}, without showing it`, () => {
    const fault = { code, message: expect.stringContaining(why) }
    expect(() => readZookeeperProperties(jaasFile(jaas))).toThrow(expect.objectContaining(fault))
  })
}
test('a JAAS file that others can read, and one that is not there, are refused', () => {
  const refused = expect.objectContaining({ code: 'CONFIG_INVALID' })
  expect(() => readZookeeperProperties(jaasFile(client, { mode: 0o644 }))).toThrow(refused)
  const none = write('none.properties', 'java.security.auth.login.config=nowhere.conf\n')
  expect(() => readZookeeperProperties(none)).toThrow(refused)
})

test("TLS is on by ZooKeeper's key or by a broker's, host names are checked unless that is switched off", () => {
  for (const [text, checkHost] of [
    ['zookeeper.client.secure=true\n', true],
    ['zookeeper.ssl.client.enable=true\nzookeeper.ssl.endpoint.identification.algorithm=\n', false],
    ['zookeeper.client.secure=true\nzookeeper.ssl.hostnameVerification=false\n', false],
  ] as const) {
    expect(readZookeeperProperties(write('tls.properties', text)).tls).toEqual({ checkHost })
  }
  expect(readZookeeperProperties(write('off.properties', 'zookeeper.client.secure=false\n'))).toEqual({})
})

const rows = [
  ['a typo', 'zookeper.client.secure=true\n', ['kmig makes no use of zookeper.client.secure']],
  [
    'what kmig does not use',
    'zookeeper.request.timeout=9\njute.maxbuffer=1\nzookeeper.client.secure=true\n',
    ['kmig makes no use of jute.maxbuffer, zookeeper.request.timeout'],
  ],
  [
    'a check that is off',
    'zookeeper.client.secure=true\nzookeeper.ssl.hostnameVerification=false\n',
    [expect.stringMatching(/HOST NAMES ARE NOT CHECKED/)],
  ],
  [
    'more than ten keys',
    Array.from({ length: 12 }, (_, i) => `log.${String(i).padStart(2, '0')}=x\n`).join(''),
    [expect.stringMatching(/log\.09 and 2 more$/)],
  ],
  ['all that is used', 'zookeeper.client.secure=true\nZookeeper.SSL.trustStore.location=\n', []],
  ['credentials', 'digest:user.name:pass=word\n', []],
] as const
for (const [title, text, warnings] of rows) {
  test(`the operator is warned of ${title}: ${warnings.length > 0 ? 'yes' : 'no'}`, () => {
    const file = write('warned.properties', text)
    const wanted = warnings.map(each => (typeof each === 'string' ? `${file}: ${each}` : each))
    expect(zookeeperWarnings(file)).toEqual(wanted)
  })
}
test('of a file that is not there nothing is warned: its reader refuses it', () => {
  expect(zookeeperWarnings(join(directory, 'nowhere'))).toEqual([])
})
