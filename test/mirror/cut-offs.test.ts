import { expect, test } from 'vitest'
import type { Piece } from '../../src/kafka/index.ts'
import { Offset } from '../../src/kit/index.ts'
import { CutOffs } from '../../src/mirror/cut-offs.ts'
import type { Lane } from '../../src/mirror/lane.ts'

const lane = { where: 't-0' } as Lane
const sent = (base: number) => [
  { lane, piece: { base: Offset(BigInt(base)), bytes: Buffer.alloc(100) } as Piece },
]

test('a connection that ends five times at the same batch is told with the setting that may be the cause, and each five times more', () => {
  const cutOffs = new CutOffs()
  const told = Array.from({ length: 10 }, () => cutOffs.count(sent(7))?.error.message)
  expect(told.flatMap((text, i) => (text ? [i + 1] : []))).toEqual([5, 10])
  expect(told[4]).toBe(
    'the target has ended the connection 5 times at a request of 100 bytes from offset 7 on: is that more than its socket.request.max.bytes?',
  )
})

test('one that ends at another batch each time is an accident', () => {
  const cutOffs = new CutOffs()
  for (let base = 0; base < 20; base++) expect(cutOffs.count(sent(base))).toBeUndefined()
})
