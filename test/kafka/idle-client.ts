/**
 * An ordinary client as kmig starts it: writes a record in each codec, reads them back, then is idle for two seconds.
 * Prints {"read", "idleCpuMsPerS"}. Run by test/acceptance/kafka.test.ts: `node test/kafka/idle-client.ts <bootstrap> <topic>`.
 */
import { setTimeout as wait } from 'node:timers/promises'
import { kafkaJs } from '../../src/kafka/index.ts'

const [bootstrap = '', topic = ''] = process.argv.slice(2)
const kafka = kafkaJs({ brokers: bootstrap.split(',') })
const [producer, consumer] = [
  kafka.producer(),
  kafka.consumer({ groupId: `${topic}-readers`, maxWaitTimeInMs: 5_000 }),
]
await producer.connect()
for (const compression of [0, 1, 2, 3, 4]) {
  await producer.send({
    topic,
    compression,
    messages: [{ key: 'k', value: `codec ${compression}`.padEnd(2_000) }],
  })
}
await consumer.connect()
await consumer.subscribe({ topics: [topic], fromBeginning: true })
const read: string[] = []
const all = Promise.withResolvers<void>()
await consumer.run({
  eachMessage: async ({ message }) => {
    if (read.push(message.value?.toString().trim() ?? '') === 5) all.resolve()
  },
})
await all.promise
await wait(500)
const before = process.cpuUsage()
await wait(2_000)
const { user, system } = process.cpuUsage(before)
process.stdout.write(JSON.stringify({ read, idleCpuMsPerS: (user + system) / 2_000 }))
await consumer.disconnect()
await producer.disconnect()
