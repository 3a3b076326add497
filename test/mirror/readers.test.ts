import { describe, expect, test } from 'vitest'
import { Offset } from '../../src/kit/index.ts'
import { leaving } from '../../src/mirror/groups.ts'
import { imageBefore } from '../../src/mirror/reverse-groups.ts'
import { OffsetMap } from '../../src/offsets/index.ts'

const at = (n: number) => Offset(BigInt(n))

describe('where a group that moved first goes back to', () => {
  const map = new OffsetMap({ translated: true, start: at(500) })
  map.gap({ from: at(505), to: at(510) })
  const point = { old: at(520), next: at(15) }

  for (const [target, source] of [
    [0, 500],
    [4, 504],
    [5, 510],
    [14, 519],
    [15, 520],
  ] as const)
    test(`from ${target} of a translated copy to ${source} of its source`, () => {
      expect(imageBefore(at(target), point, map)).toEqual({ kind: 'exact', at: at(source) })
    })
  test('beyond the copy it is never clamped', () => {
    expect(imageBefore(at(16), point, map)).toEqual({ kind: 'wait', mirroredTo: at(15) })
  })
  test('there and back again every offset before which a record stands is itself', () => {
    for (let source = 500; source <= 520; source++) {
      if (source >= 505 && source < 510) continue
      const there = map.toTarget(at(source), point.old)
      if (there.kind !== 'exact') throw new Error(there.kind)
      expect(imageBefore(there.at, point, map)).toEqual({ kind: 'exact', at: at(source) })
    }
  })
  test('an identical copy needs no map, also where a filler stands', () => {
    const same = new OffsetMap({ translated: false, start: at(0) })
    same.gap({ from: at(3), to: at(5) })
    expect(imageBefore(at(4), { old: at(9), next: at(9) }, same)).toEqual({ kind: 'exact', at: at(4) })
  })
})

test('a sync leaves groups alone that have moved, and says which run moved them', () => {
  const leave = leaving([{ group: 'billing', run: 'r1', at: '', partitions: [] }])
  expect(leave('billing')).toContain('run r1')
  expect(leave('reports')).toBeUndefined()
})
