import type { Group } from '../kafka/index.ts'

/** Why a group's offsets are not moved, if they are not: only groups of consumers resume from them. */
export const unmovable = ({ groupId, protocolType, type }: Group): string | undefined => {
  if (groupId.startsWith('__kmig.')) return 'it is kmig’s own'
  const kind = type === 'share' || type === 'streams' ? type : protocolType
  switch (kind) {
    case '':
    case 'consumer':
      return undefined
    case 'share':
      return 'it is a share group: several records are under way at once and no API sets where each stands (KIP-932); start a new one on the target'
    case 'streams':
      return 'it is of the streams protocol (KIP-1071), which kmig does not move; its offsets can be set with kafka-streams-groups'
    case 'connect':
      return 'these are workers of Kafka Connect: their state is in Connect’s three topics, mirror those; groups of sinks (connect-*) are moved'
    default:
      return `its members speak '${kind}', which has no offsets that readers resume from`
  }
}

/** Whether a group of the target takes offsets from outside, by its state; else why not. */
export const takesNone = (state: string, { type = '' }: { type?: string } = {}): string | undefined => {
  if (type === 'share' || type === 'streams') return `the target has a ${type} group of this name`
  if (state === 'Empty' || state === 'Dead') return undefined
  return `it has members on the target (${state}); stop them to move it`
}
