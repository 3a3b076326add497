import { KmigError } from '../kit/index.ts'
import type { Shift } from '../offsets/index.ts'

type Where = { where: string; topic: string }

const anew = (topic: string): string =>
  `delete topic ${topic} on the target and start the mirror again: it is copied anew`

/** Somebody else wrote to the target. */
export const strangeWrite = ({ where, topic }: Where, what: string): KmigError =>
  new KmigError('FOREIGN_WRITE', `${where} on the target: ${what}`, {
    try: ['find the writer and stop it', anew(topic)],
  })

/** Identical offsets were asked for, and records stand elsewhere. */
export const notIdentical = ({ where, topic }: Where, [first]: readonly Shift[]): KmigError =>
  new KmigError(
    'NOT_IDENTICAL',
    `${where}: from source offset ${first?.source} on records stand at other offsets on the target (${first?.target} on)`,
    { try: ['start without --offsets identical: an exact map gives every offset', anew(topic)] },
  )
