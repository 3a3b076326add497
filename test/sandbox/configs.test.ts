import { expect, test } from 'vitest'
import { Addresses } from '../../src/sandbox/addresses.ts'
import { brokerConfig, zookeeperConfig } from '../../src/sandbox/configs.ts'
import { Slot } from '../../src/sandbox/slot.ts'
import { complete } from '../../src/sandbox/spec.ts'

const at = new Addresses(7, 1)
const home = { id: 1, data: '/data', credentials: { users: { admin: 'a', kmig: 'b' } } }

test('the link is advertised to clients that come by it, the controller to nobody', () => {
  const spec = complete({ kind: 'kraft', version: '4.3.1', brokers: 1, listeners: ['link'] })
  const config = brokerConfig(spec, at, home)
  expect(config['listeners']).toBe(
    'PLAINTEXT://127.7.1.1:9092,LINK://127.7.1.1:9192,CONTROLLER://127.7.1.1:9090',
  )
  expect(config['advertised.listeners']).toBe('PLAINTEXT://127.7.1.1:9092,LINK://127.7.1.101:9192')
})

test('three brokers replicate three times and need two, one needs itself', () => {
  const of = (brokers: 1 | 3) => {
    const config = brokerConfig(complete({ kind: 'kraft', version: '4.3.1', brokers }), at, home)
    return [config['offsets.topic.replication.factor'], config['min.insync.replicas']]
  }
  expect([of(1), of(3)]).toEqual([
    [1, 1],
    [3, 2],
  ])
})

test("the spec's own broker properties win", () => {
  const config = { 'auto.create.topics.enable': 'true' }
  const spec = complete({ kind: 'kafka-zk', version: '3.9.2', brokers: 1, config })
  expect(brokerConfig(spec, at, home)).toMatchObject(config)
})

test('an ensemble lists its peers, a single node none', () => {
  const peers = (ensemble: 1 | 3) => {
    const spec = complete({ kind: 'zookeeper', version: '3.9.2', brokers: 0, ensemble })
    return Object.keys(zookeeperConfig(spec, at, { ...home, id: 9 })).filter(key => key.startsWith('server.'))
  }
  expect([peers(1), peers(3)]).toEqual([[], ['server.9', 'server.10', 'server.11']])
})

const wrong = [
  [{ kind: 'kraft', version: '3.9.2', brokers: 1 }, /kraft comes in 4\.3\.1/],
  [{ kind: 'kafka-zk', version: '3.9.2', brokers: 0 }, /brokers are 0 for zookeeper alone/],
  [{ kind: 'zookeeper', version: '3.9.2', brokers: 0, ensemble: 0 }, /needs a ZooKeeper/],
] as const
for (const [spec, why] of wrong) {
  test(`${JSON.stringify(spec)} is refused`, () => expect(() => complete(spec)).toThrow(why))
}

test('two sandboxes of one machine never share a slot, and a slot that is given back can be taken', async () => {
  const slots = await Promise.all([Slot.take(), Slot.take(), Slot.take()])
  expect(new Set(slots.map(slot => slot.number)).size).toBe(3)
  await Promise.all(slots.map(slot => slot[Symbol.asyncDispose]()))
  await using again = await Slot.take()
  expect(slots.map(slot => slot.number)).toContain(again.number)
})
