import { expect, test } from 'vitest'
import { Cluster } from '../../src/kafka/index.ts'
import { Offset } from '../../src/kit/index.ts'
import { fill } from '../../src/mirror/fill.ts'
import { Lane } from '../../src/mirror/lane.ts'
import { FakeBroker } from '../kafka/fake-broker.ts'

const laneWithHole = (): Lane => {
  const lane = new Lane({
    topic: 't',
    partition: 0,
    start: Offset(0n),
    anchor: { offset: Offset(0n), ordinal: 0n, epoch: -1 },
    producer: { id: 7n, epoch: 0 },
  })
  lane.settled({ end: Offset(0n), ordinal: 0n }, 1)
  lane.offer([{ kind: 'hole', from: Offset(0n), to: Offset(3n), why: 'marker' }], {
    next: Offset(3n),
    ordinal: 0n,
  })
  lane.map.unkept()?.kept()
  expect(lane.fillable).toBe(3n)
  return lane
}

test('a hole of a partition without a leader on the target is a doubt (it was tried again without an end, and nothing else went on)', async () => {
  await using broker = await FakeBroker.listen()
  const { host, port } = broker.address
  broker.handlers['Metadata'] = ({ reply }) =>
    reply({
      throttleTimeMs: 0,
      brokers: [{ nodeId: 1, host, port, rack: null }],
      clusterId: 'c',
      controllerId: 1,
      topics: [],
    })
  await using target = await Cluster.open({ bootstrap: [broker.address] })
  const lane = laneWithHole()
  const control = () => ({ id: 8n, epoch: 0 })
  await fill([lane], { target, control, owns: () => true, signal: new AbortController().signal })
  expect(lane.phase.at).toBe('doubt')
})

test('a doubt that comes while the connection for markers is being made keeps them back', async () => {
  await using broker = await FakeBroker.listen()
  const { host, port } = broker.address
  broker.handlers['Metadata'] = ({ reply }) =>
    reply({
      throttleTimeMs: 0,
      brokers: [{ nodeId: 1, host, port, rack: null }],
      clusterId: 'c',
      controllerId: 1,
      topics: [
        {
          errorCode: 0,
          name: 't',
          isInternal: false,
          partitions: [{ errorCode: 0, partition: 0, leader: 1, leaderEpoch: 1, replicas: [1], isr: [1] }],
        },
      ],
    })
  await using target = await Cluster.open({ bootstrap: [broker.address] })
  await target.metadata(['t'])
  const lane = laneWithHole()
  const filling = fill([lane], {
    target,
    control: () => ({ id: 8n, epoch: 0 }),
    owns: () => true,
    signal: new AbortController().signal,
  })
  lane.doubt('the leader has changed')
  await filling
  expect(lane.phase.at).toBe('doubt')
  expect(lane.flying).toBe(0)
  expect(broker.asked).not.toContain('WriteTxnMarkers')
})
