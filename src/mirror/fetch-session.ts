/** What is asked of one partition. */
export type Asked = {
  topic: string
  partition: number
  fetchOffset: bigint
  /** -1: any. */
  currentLeaderEpoch: number
  /** Epoch of the last record before `fetchOffset`, so that the leader sees where its log is another; -1: not known. */
  lastFetchedEpoch: number
  partitionMaxBytes: number
}
export type Question = {
  sessionId: number
  sessionEpoch: number
  topics: { topic: string; partitions: Omit<Asked, 'topic'>[] }[]
  forgottenTopics: { topic: string; partitions: number[] }[]
}

/** Fewer partitions are asked for whole each time. */
const MANY = 50
/** The epoch of a question without a session, and of one that begins a session. */
const NONE = -1
const BEGIN = 0
const LAST_EPOCH = 0x7fffffff

/**
 * One fetch session of a connection: the broker remembers what was asked, and is told and tells only what has changed, so
 * that thousands of idle partitions cost nothing. Source: KIP-227, FetchSessionHandler.
 */
export class FetchSession {
  #id = 0
  #epoch = BEGIN
  #known = new Map<string, Asked>()
  #asked: ReadonlyMap<string, Asked> = new Map()

  /** The question that makes the broker look at exactly these partitions, keyed by name. */
  question(asked: ReadonlyMap<string, Asked>): Question {
    this.#asked = asked
    if (this.#id === 0 && asked.size < MANY) return whole(asked, { sessionId: 0, sessionEpoch: NONE })
    if (this.#epoch === BEGIN) return whole(asked, { sessionId: this.#id, sessionEpoch: BEGIN })
    const changed = [...asked].filter(([where, now]) => !same(this.#known.get(where), now))
    const forgotten = [...this.#known].flatMap(([where, each]) => (asked.has(where) ? [] : [each]))
    return {
      sessionId: this.#id,
      sessionEpoch: this.#epoch,
      topics: byTopic(changed.map(([, each]) => each)),
      forgottenTopics: [...Map.groupBy(forgotten, each => each.topic)].map(([topic, each]) => {
        return { topic, partitions: each.map(({ partition }) => partition) }
      }),
    }
  }

  /** The broker took the last question. */
  answered({ sessionId }: { sessionId: number }): void {
    if (sessionId === 0) {
      this.#id = 0
      this.#epoch = BEGIN
      this.#known.clear()
      return
    }
    this.#epoch = sessionId === this.#id && this.#epoch < LAST_EPOCH ? this.#epoch + 1 : 1
    this.#id = sessionId
    this.#known = new Map(this.#asked)
  }

  /** The broker knows the session no more, or not as it should: the next question begins anew. */
  reset(): void {
    this.#epoch = BEGIN
    this.#known.clear()
  }
}

const whole = (
  asked: ReadonlyMap<string, Asked>,
  session: Pick<Question, 'sessionId' | 'sessionEpoch'>,
): Question => ({ ...session, topics: byTopic([...asked.values()]), forgottenTopics: [] })

const byTopic = (all: readonly Asked[]): Question['topics'] =>
  [...Map.groupBy(all, each => each.topic)].map(([topic, partitions]) => ({ topic, partitions }))

const same = (a: Asked | undefined, b: Asked): boolean =>
  a !== undefined &&
  a.fetchOffset === b.fetchOffset &&
  a.currentLeaderEpoch === b.currentLeaderEpoch &&
  a.lastFetchedEpoch === b.lastFetchedEpoch &&
  a.partitionMaxBytes === b.partitionMaxBytes
