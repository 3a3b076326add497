import type { Place } from '../load/index.ts'
import type { Cast } from './crowd.ts'
import { locateIn } from './discovery-files.ts'
import { TOPICS, type World } from './world.ts'

/** The demo's clients: one of them has its cluster from another file. */
export const demoCast = ({ discovery }: World): Cast => {
  const standard = async () => ({ bootstrap: await locateIn(discovery, 'standard') })
  const scribe = async () => ({ bootstrap: await locateIn(discovery, 'scribe') })
  return {
    writers: [
      { places: placesOf(['orders']), codec: 'none', locate: standard },
      { places: placesOf(['orders', 'payments']), codec: 'gzip', locate: standard },
      { places: placesOf(['clicks']), codec: 'zstd', locate: scribe },
    ],
    readers: [
      { group: 'billing', topics: ['orders', 'payments'], locate: standard },
      { group: 'analytics', topics: ['clicks'], locate: standard },
    ],
  }
}

const placesOf = (topics: readonly string[]): Place[] =>
  TOPICS.filter(({ name }) => topics.includes(name)).flatMap(({ name, partitions }) =>
    Array.from({ length: partitions }, (_, partition) => ({ topic: name, partition })),
  )
