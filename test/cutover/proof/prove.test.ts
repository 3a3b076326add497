import { describe, expect, test } from 'vitest'
import { ATTESTATION_MS, isFresh } from '../../../src/cutover/proof/attestation.ts'
import { proveFence } from '../../../src/cutover/proof/prove.ts'
import type { FenceSight, Written } from '../../../src/cutover/proof/sight.ts'
import type { OpenTransactionState, ProducerState } from '../../../src/kafka/index.ts'

type Batch = { id: bigint; records: bigint; control?: boolean; atMs: number; replicatedMs?: number }

/** A cluster of made-up logs, with time that passes only while somebody sleeps or asks. */
class Cluster {
  ms = 0
  readonly logs = new Map<string, Batch[]>([
    ['orders-0', [{ id: -1n, records: 100n, atMs: 0 }]],
    ['orders-1', [{ id: -1n, records: 7n, atMs: 0 }]],
  ])
  readonly producers: { where: string; state: ProducerState; atMs: number }[] = []
  transactions: (OpenTransactionState & { untilMs: number })[] = []
  unseen: Partial<Record<'producers' | 'transactions' | 'groups', string>> = {}
  /** Asking takes so long. */
  lookMs = 10
  cutAtMs: number | undefined

  #of(where: string, until: (batch: Batch) => number): bigint {
    const all = (this.logs.get(where) ?? []).filter(batch => until(batch) <= this.ms)
    const sum = all.reduce((total, { records }) => total + records, 0n)
    return this.cutAtMs !== undefined && this.ms >= this.cutAtMs ? sum - 5n : sum
  }
  sequence(where: string, producerId: bigint, lastSequence: number, atMs = 0, epoch = 0): void {
    const state = { producerId, epoch, lastSequence, lastMs: atMs, transactionStart: undefined }
    this.producers.push({ where, state, atMs })
  }

  get sight(): FenceSight {
    const seen = async <T>(what: 'producers' | 'transactions' | 'groups', value: () => T) => {
      const why = this.unseen[what]
      return why === undefined ? { kind: 'seen' as const, value: value() } : { kind: 'unseen' as const, why }
    }
    return {
      ends: async () => {
        this.ms += this.lookMs
        return new Map(
          [...this.logs.keys()].map(where => {
            const leo = this.#of(where, ({ atMs }) => atMs)
            const high = this.#of(where, ({ atMs, replicatedMs = atMs }) => replicatedMs)
            return [where, { leo, stable: high }] as const
          }),
        )
      },
      replicated: async wheres =>
        new Map(
          wheres.map(where => [where, this.#of(where, ({ atMs, replicatedMs = atMs }) => replicatedMs)]),
        ),
      written: async ({ where, from, to }): Promise<Written> => {
        const data = new Map<bigint, { records: bigint; epoch: number }>()
        let [at, markers, unread] = [0n, 0n, 0n]
        for (const { id, records, control, atMs, replicatedMs = atMs } of this.logs.get(where) ?? []) {
          const inside = at >= from && at < to
          at += records
          if (!inside) continue
          if (replicatedMs > this.ms) unread += records
          else if (control) markers += records
          else data.set(id, { records: (data.get(id)?.records ?? 0n) + records, epoch: 0 })
        }
        return { data, markers, unread }
      },
      producers: () =>
        seen('producers', () => {
          const now = this.producers.filter(({ atMs }) => atMs <= this.ms)
          const last = new Map(now.map(each => [`${each.where} ${each.state.producerId}`, each]))
          return new Map(
            [...Map.groupBy(last.values(), ({ where }) => where)].map(([where, rows]) => [
              where,
              rows.map(({ state }) => state),
            ]),
          )
        }),
      transactions: () =>
        seen('transactions', () => this.transactions.filter(({ untilMs }) => untilMs > this.ms)),
      groups: () => seen('groups', () => [{ group: 'billing', members: 2 }]),
    }
  }
  readonly clock = {
    wall: () => 1_000_000 + this.ms,
    now: () => this.ms,
    sleep: async (ms: number) => {
      this.ms += ms
    },
  }
  prove(windowMs = 10_000, since?: ReadonlyMap<string, bigint>) {
    const engaged = { evidence: ['the hook said so'], writersLeft: 0 }
    return proveFence(this.sight, this.clock, { windowMs, driver: 'hook', engaged, since })
  }
}
const open = (more: Partial<Cluster['transactions'][number]> = {}): Cluster['transactions'][number] => ({
  ...{ transactionalId: 'pay-1', producerId: 9n, state: 'Ongoing', startMs: 1_000_000, timeoutMs: 60_000 },
  partitions: [{ topic: 'orders', partition: 1 }],
  untilMs: Number.POSITIVE_INFINITY,
  ...more,
})

describe('a fence is proved', () => {
  test('when every end stands still for the whole window, with what was asked and seen', async () => {
    const cluster = new Cluster()
    cluster.sequence('orders-0', 4n, 12)
    cluster.sequence('orders-1', 4n, 3)
    const { ends, proof } = await cluster.prove()
    expect(ends).toEqual(
      new Map([
        ['orders-0', 100n],
        ['orders-1', 7n],
      ]),
    )
    expect(proof).toMatchObject({
      ...{ windowMs: 10_000, partitions: 2, driver: 'hook', writersLeft: 0 },
      evidence: ['the hook said so', 'consumer groups that have members: billing (2)'],
      ends: { hwIsLeo: true },
      producers: { asked: true, known: 1, moved: 0, lastMs: 0 },
      transactions: { asked: true, open: 0 },
    })
    expect(proof.toMs - proof.fromMs).toBeGreaterThanOrEqual(10_000)
    expect(proof.sweeps).toBeGreaterThan(15)
  })
  test('the time that looks take is no part of the window', async () => {
    const cluster = new Cluster()
    cluster.lookMs = 3_000
    const { proof } = await cluster.prove(1_000)
    expect(proof.sweeps).toBeGreaterThanOrEqual(3)
    cluster.logs.get('orders-0')?.push({ id: 4n, records: 1n, atMs: cluster.ms + 4_000 })
    await expect(cluster.prove(1_000)).rejects.toMatchObject({ code: 'STILL_WRITTEN' })
  })
  test('markers of transactions begin the window anew and are no writer', async () => {
    const cluster = new Cluster()
    cluster.logs.get('orders-1')?.push({ id: 9n, records: 1n, control: true, atMs: 9_000 })
    cluster.sequence('orders-1', 9n, 3)
    cluster.sequence('orders-1', 9n, -1, 9_000, 1)
    const { ends, proof } = await cluster.prove()
    expect(ends.get('orders-1')).toBe(8n)
    expect(cluster.ms).toBeGreaterThanOrEqual(19_000)
    expect(proof.toMs - proof.fromMs).toBeGreaterThanOrEqual(10_000)
  })
  test('waits for a transaction that ends, and for followers that are behind', async () => {
    const cluster = new Cluster()
    cluster.transactions = [open({ untilMs: 15_000 })]
    cluster.logs.get('orders-0')?.push({ id: 9n, records: 3n, atMs: 0, replicatedMs: 14_000 })
    await cluster.prove()
    expect(cluster.ms).toBeGreaterThanOrEqual(15_000)
  })
  test('a transaction of topics that stay is no matter', async () => {
    const cluster = new Cluster()
    cluster.transactions = [open({ partitions: [{ topic: 'elsewhere', partition: 0 }] })]
    expect((await cluster.prove()).proof.transactions).toEqual({ asked: true, open: 0 })
  })
  test('what the brokers can not tell is named as missing', async () => {
    const cluster = new Cluster()
    cluster.unseen = { producers: 'no such API', transactions: 'too old', groups: 'denied' }
    const { proof } = await cluster.prove()
    expect(proof.producers).toEqual({ asked: false, why: 'no such API' })
    expect(proof.transactions).toEqual({ asked: false, why: 'too old' })
    expect(proof.evidence).toContain("consumer groups can't be told: denied")
  })
})

describe('a fence is refused', () => {
  const growing: [what: string, grow: (cluster: Cluster) => void, code: string, message: RegExp][] = [
    [
      'to a writer of a known id, named with its sequence and rate',
      cluster => {
        cluster.sequence('orders-1', 4n, 3)
        cluster.sequence('orders-1', 4n, 5, 8_000)
        cluster.logs.get('orders-1')?.push({ id: 4n, records: 2n, atMs: 8_000 })
      },
      'STILL_WRITTEN',
      /do not stand still, 0\.\d\/s: orders-1: 7 -> 9 \(\+2\): 2 records of producer 4 epoch 0, sequence 5/,
    ],
    [
      'to a writer without an id',
      cluster => void cluster.logs.get('orders-0')?.push({ id: -1n, records: 1n, atMs: 9_990 }),
      'STILL_WRITTEN',
      /orders-0: 100 -> 101 \(\+1\): 1 record of producers without an id/,
    ],
    [
      'to data among markers',
      cluster => {
        cluster.logs.get('orders-1')?.push({ id: 9n, records: 1n, control: true, atMs: 3_000 })
        cluster.logs.get('orders-0')?.push({ id: 4n, records: 1n, atMs: 3_000 })
      },
      'STILL_WRITTEN',
      /: orders-0: 100 -> 101 \(\+1\): 1 record of producer 4/,
    ],
    [
      'to growth that nobody may read',
      cluster =>
        void cluster.logs
          .get('orders-0')
          ?.push({ id: 4n, records: 2n, atMs: 3_000, replicatedMs: 99_000_000 }),
      'STILL_WRITTEN',
      /orders-0: 100 -> 102 \(\+2\)/,
    ],
    [
      'to a sequence that moved though the end did not',
      cluster => {
        cluster.sequence('orders-0', 4n, 12)
        cluster.sequence('orders-0', 4n, 15, 5_000)
      },
      'STILL_WRITTEN',
      /orders-0: producer 4, sequence 12 -> 15/,
    ],
    [
      'to an open transaction, even one that has written nothing',
      cluster => {
        cluster.transactions = [open({ partitions: [] })]
      },
      'PREFLIGHT',
      /transaction of 'pay-1' \(producer 9\) is Ongoing for .* on no partition yet, its timeout is/,
    ],
    [
      'to one whose markers are being written',
      cluster => {
        cluster.transactions = [open({ state: 'PrepareCommit', startMs: undefined, timeoutMs: undefined })]
      },
      'PREFLIGHT',
      /'pay-1' \(producer 9\) is PrepareCommit on orders-1/,
    ],
    [
      'to records that are not on all replicas',
      cluster =>
        void cluster.logs.get('orders-0')?.push({ id: -1n, records: 3n, atMs: 0, replicatedMs: 99_000_000 }),
      'PREFLIGHT',
      /orders-0: 3 of 103 offsets are not on all replicas in sync/,
    ],
    [
      'to an end that went back',
      cluster => {
        cluster.cutAtMs = 4_000
      },
      'SOURCE_TRUNCATED',
      /orders-0: 100 -> 95/,
    ],
  ]
  for (const [what, grow, code, message] of growing) {
    test(what, async () => {
      const cluster = new Cluster()
      grow(cluster)
      const error = await cluster.prove().catch((e: unknown) => e)
      expect(error).toMatchObject({ code, message: expect.stringMatching(message) })
      expect((error as { suggestions: string[] }).suggestions.length).toBeGreaterThan(0)
    })
  }
  test('to growth between what was known before and the first look', async () => {
    const cluster = new Cluster()
    const since = new Map([
      ['orders-0', 99n],
      ['orders-1', 7n],
    ])
    cluster.logs.set('orders-0', [
      { id: -1n, records: 99n, atMs: 0 },
      { id: 4n, records: 1n, atMs: 0 },
    ])
    await expect(cluster.prove(1_000, since)).rejects.toMatchObject({
      code: 'STILL_WRITTEN',
      message: expect.stringContaining('orders-0: 99 -> 100 (+1)'),
    })
  })
})

test('an attestation holds for 60 s, and not before it was made', () => {
  const rows = [
    [0, true],
    [ATTESTATION_MS - 1, true],
    [ATTESTATION_MS, false],
    [-1, false],
  ] as const
  for (const [age, fresh] of rows) expect(isFresh({ toMs: 1_000 }, 1_000 + age)).toBe(fresh)
})
