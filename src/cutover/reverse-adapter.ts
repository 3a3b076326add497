import { partitionOf } from '../kafka/index.ts'
import { messageOf, Offset } from '../kit/index.ts'
import { backOf, type Drained, ReverseMirror, type ReverseOptions, type Stranded } from '../mirror/index.ts'
import { stateTopicOf } from '../offsets/index.ts'
import type { CutPoints, Stranded as Range, ReversePort } from './reverse-port.ts'

const rangeOf = ({ where, from, to, carried, carry }: Stranded): Range => ({
  ...partitionOf(where),
  ...{ from: String(from), to: String(to) },
  ...(carried && carry?.to !== undefined && { carried: { from: String(carry.from), to: String(carry.to) } }),
})

/** The copy back of the mirror's room, opened when it is first needed. */
export const reversePort = (options: ReverseOptions): ReversePort & AsyncDisposable => {
  let opening: Promise<ReverseMirror> | undefined
  let started = false
  let last: Drained | undefined
  const reverse = (): Promise<ReverseMirror> => {
    opening ??= ReverseMirror.open(options)
    return opening
  }
  let allowed = false
  const drained = async (ends: ReadonlyMap<string, bigint>): Promise<Drained> => {
    const to = new Map([...ends].map(([where, end]) => [where, Offset(end)]))
    last ??= await (await reverse()).drained(to, { lossy: allowed })
    return last
  }
  const arm = async (cut: CutPoints) => {
    const points = [...cut].map(
      ([where, { old, next }]) => [where, { old: Offset(old), next: Offset(next) }] as const,
    )
    return await (await reverse()).arm(new Map(points))
  }
  return {
    prepare: async () => await (await reverse()).prepare(),
    problems: async topics => await (await reverse()).problems(topics),
    arm: async cut => {
      const { producerId, stranded } = await arm(cut)
      return {
        producerId: String(producerId),
        stateTopic: stateTopicOf(backOf(options.name)),
        stranded: stranded.map(rangeOf),
      }
    },
    carry: async cut => {
      await arm(cut)
      return (await (await reverse()).carry()).map(rangeOf)
    },
    strays: async cut => {
      await arm(cut)
      return (await (await reverse()).strays()).map(rangeOf)
    },
    start: async cut => {
      if (started) return
      await arm(cut) // the same cut: goes on
      await (await reverse()).start()
      started = true
    },
    lag: async () => {
      const { records, stopped, stranded, seen } = await (await reverse()).lag()
      return {
        ...{ records, seen },
        stopped: [
          ...stopped.map(({ where, from, error }) => `${where} from ${from} on: ${messageOf(error)}`),
          ...stranded
            .filter(each => !each.carried)
            .map(({ where, from, to }) => `${where}: ${from}-${to - 1n}`),
        ],
      }
    },
    drained: async (ends, { lossy }) => {
      last = undefined
      allowed = lossy
      const { missing } = await drained(ends)
      return missing.map(
        ({ where, from, to, why }) => `${where}: ${from}-${to === undefined ? '?' : to - 1n} (${why})`,
      )
    },
    syncGroups: async ends => await (await reverse()).groupsBack(await drained(ends)),
    stop: async () => {
      if (started) await (await reverse()).stop()
    },
    handBack: async (ends, { lossy }) => {
      allowed ||= lossy // of a process before this one
      await (await reverse()).rejoinForward(await drained(ends))
    },
    [Symbol.asyncDispose]: async () => {
      if (opening) await (await opening)[Symbol.asyncDispose]()
    },
  }
}
