import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Asked, FetchSession, type Question } from '../../src/mirror/fetch-session.ts'

/** A broker's session cache, as FetchManager keeps it. */
class Broker {
  #next = 1
  #sessions = new Map<number, { epoch: number; partitions: Map<string, Asked> }>()
  forget(): void {
    this.#sessions.clear()
  }
  /** The partitions that it looks at, or an error code. */
  take({ sessionId, sessionEpoch, topics, forgottenTopics }: Question) {
    const asked = topics.flatMap(({ topic, partitions }) =>
      partitions.map(each => [`${topic}-${each.partition}`, { ...each, topic }] as const),
    )
    if (sessionEpoch === -1) return { sessionId: 0, partitions: new Map(asked) }
    if (sessionEpoch === 0) {
      this.#sessions.delete(sessionId)
      const id = this.#next++
      this.#sessions.set(id, { epoch: 1, partitions: new Map(asked) })
      return { sessionId: id, partitions: new Map(asked) }
    }
    const session = this.#sessions.get(sessionId)
    if (!session) return { error: 70 }
    if (session.epoch !== sessionEpoch) return { error: 71 }
    session.epoch++
    for (const { topic, partitions } of forgottenTopics)
      for (const partition of partitions) session.partitions.delete(`${topic}-${partition}`)
    for (const [where, each] of asked) session.partitions.set(where, each)
    return { sessionId, partitions: new Map(session.partitions) }
  }
}

const asked = fc.array(
  fc.record({ n: fc.nat({ max: 80 }), offset: fc.nat({ max: 3 }), epoch: fc.nat({ max: 2 }) }),
  { maxLength: 120 },
)

test('the broker looks at exactly what is asked, whatever changes, goes, comes back or is forgotten', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(asked, fc.boolean()), { maxLength: 12 }), rounds => {
      const broker = new Broker()
      const session = new FetchSession()
      for (const [parts, forgets] of rounds) {
        if (forgets) broker.forget()
        const wanted = new Map(
          parts.map(({ n, offset, epoch }): [string, Asked] => [
            `t${n % 7}-${n}`,
            {
              topic: `t${n % 7}`,
              partition: n,
              fetchOffset: BigInt(offset),
              currentLeaderEpoch: epoch,
              lastFetchedEpoch: -1,
              partitionMaxBytes: 1,
            },
          ]),
        )
        let answer = broker.take(session.question(wanted))
        if ('error' in answer) {
          session.reset()
          answer = broker.take(session.question(wanted))
        }
        if (!('partitions' in answer)) throw new Error(`refused again: ${answer.error}`)
        session.answered({ sessionId: answer.sessionId ?? 0 })
        expect(answer.partitions).toEqual(wanted)
      }
    }),
  )
})

test('2,000 idle partitions are asked for with an empty list', () => {
  const session = new FetchSession()
  const wanted = new Map(
    Array.from({ length: 2_000 }, (_, partition): [string, Asked] => [
      `t-${partition}`,
      {
        topic: 't',
        partition,
        fetchOffset: 0n,
        currentLeaderEpoch: 0,
        lastFetchedEpoch: -1,
        partitionMaxBytes: 1,
      },
    ]),
  )
  session.question(wanted)
  session.answered({ sessionId: 9 })
  expect(session.question(new Map(wanted))).toEqual({
    sessionId: 9,
    sessionEpoch: 1,
    topics: [],
    forgottenTopics: [],
  })
})
