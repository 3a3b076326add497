import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Frames } from '../../src/kafka/framing.ts'
import { FramePool } from '../../src/kafka/index.ts'

const sizes = fc.oneof(
  fc.integer({ min: 4, max: 50 }),
  fc.integer({ min: 60_000, max: 70_000 }),
  fc.integer({ min: 250_000, max: 400_000 }),
)
const bodyOf = (bytes: number, i: number): Buffer => {
  const body = Buffer.alloc(bytes, i + 1)
  body.writeInt32BE(bytes)
  return body
}

for (const pooled of [false, true]) {
  test(`frames of any size come out whole, however the stream is sliced${pooled ? ', from memory that is used again' : ''}`, () => {
    fc.assert(
      fc.property(
        fc.array(sizes, { maxLength: 6 }),
        fc.array(fc.integer({ min: 1, max: 200_000 }), { minLength: 1, maxLength: 20 }),
        (lengths, slices) => {
          const pool = new FramePool()
          const bodies = lengths.map(bodyOf)
          const wanted = bodies.map(body => body.toString('latin1'))
          const stream = Buffer.concat(
            bodies.flatMap(body => {
              const head = Buffer.alloc(4)
              head.writeInt32BE(body.length)
              return [head, body]
            }),
          )
          const found: string[] = []
          const frames = new Frames(
            Buffer.allocUnsafeSlow(65_536),
            body => {
              found.push(body.toString('latin1'))
              if (body.buffer instanceof ArrayBuffer) pool.give(body.buffer)
            },
            pooled ? pool : undefined,
          )
          for (let at = 0, turn = 0; at < stream.length; turn++) {
            const room = frames.room()
            const part = Math.min(slices[turn % slices.length] ?? 1, room.length, stream.length - at)
            stream.copy(room, 0, at, at + part)
            frames.push(room.subarray(0, part))
            at += part
          }
          expect(found).toEqual(wanted)
        },
      ),
      { numRuns: 60 },
    )
  })
}
