import { expect, test } from 'vitest'
import { isBefore } from '../../src/cutover/preflight.ts'
import { type FenceState, isStateName, type State, type StateName } from '../../src/cutover/states.ts'

const LOOKED: StateName[] = [
  ...(['planned', 'mirroring', 'caught-up', 'verified'] as const),
  ...(['reads-moving', 'reads-moved', 'armed', 'backing-off'] as const),
]
const TOO_LATE: StateName[] = [
  ...(['fencing', 'fenced', 'still', 'drained', 'offsets-set', 'checked', 'sealing', 'switching'] as const),
  ...([
    'files-written',
    'opening',
    'switched',
    'target-live',
    'soaking',
    'aborting',
    'back-fencing',
  ] as const),
]
const at = (name: StateName): State => ({ at: name }) as State

test('a run that goes on is looked at again before its fence, also before and while readers move', () => {
  expect([...LOOKED, ...TOO_LATE].every(isStateName)).toBe(true)
  expect(isBefore(undefined)).toBe(true)
  expect(LOOKED.filter(name => !isBefore(at(name)))).toEqual([])
})

test('behind a fence that stands, and from the switch on, nothing is looked at', () => {
  const fence = { sinceMs: 0 } as FenceState
  expect(TOO_LATE.filter(name => isBefore(at(name)))).toEqual([])
  expect(LOOKED.filter(name => isBefore({ ...at(name), fence } as State))).toEqual([])
})
