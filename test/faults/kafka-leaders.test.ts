import { expect, test } from 'vitest'
import { Cluster, createTopics, LATEST } from '../../src/kafka/index.ts'
import { parseBootstrap } from '../../src/kit/index.ts'
import { Sandbox } from '../../src/sandbox/index.ts'
import { sandboxOptions, servers } from '../sandbox-helper.ts'

servers('three brokers', () => {
  for (const spec of [
    { kind: 'kafka-zk', version: '3.9.2', brokers: 3 },
    { kind: 'kraft', version: '4.3.1', brokers: 3 },
  ] as const) {
    test(`${spec.version}: partitions whose leader is killed are answered by their new leaders`, async () => {
      await using sandbox = await Sandbox.open(sandboxOptions())
      const server = await sandbox.start(spec)
      await using cluster = await Cluster.open({ bootstrap: parseBootstrap(server.bootstrap()) })
      await createTopics(cluster, [{ name: 't', partitions: 9, replicationFactor: 3 }])
      const partitions = Array.from({ length: 9 }, (_, partition) => partition)
      const leaders = () => new Set(partitions.map(partition => cluster.leaderOf('t', partition)?.nodeId))
      expect(leaders().size).toBe(3)
      const victim = [...cluster.brokers.keys()].find(nodeId => nodeId !== cluster.controllerId) ?? 1

      await server.node(victim).stop('kill')
      const asks = partitions.map(partition => ({ topic: 't', partition, timestamp: LATEST }))
      const offsets = await cluster.listOffsets(asks)
      expect([...offsets.values()].map(({ offset }) => offset)).toEqual(partitions.map(() => 0n))
      expect(leaders().has(victim)).toBe(false)

      const ends = await cluster.epochEnds(
        partitions.map(partition => {
          const leaderEpoch = cluster.leaderOf('t', partition)?.leaderEpoch ?? -1
          return { topic: 't', partition, leaderEpoch, currentLeaderEpoch: leaderEpoch }
        }),
      )
      expect([...ends.values()].map(({ kind }) => kind)).toEqual(partitions.map(() => 'end'))
    })
  }
})
