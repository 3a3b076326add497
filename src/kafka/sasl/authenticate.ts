import type { Sasl } from '../../config/index.ts'
import { KmigError } from '../../kit/index.ts'
import type { Api } from '../api.ts'
import { brokerError, ERROR } from '../errors.ts'
import { SaslAuthenticate, SaslHandshake } from '../messages/sasl.ts'
import { scram } from './scram.ts'

export type Ask = <Q, S>(api: Api<Q, S>, request: Q) => Promise<S>

/** Source: RFC 4616. */
async function* plain(user: string, password: string): AsyncGenerator<Buffer, void, Buffer> {
  yield Buffer.from(`\0${user}\0${password}`)
}

const clientOf = ({ mechanism, user, password, token }: Sasl): AsyncGenerator<Buffer, void, Buffer> => {
  if (mechanism === 'PLAIN') return plain(user, password.reveal())
  const hash = mechanism === 'SCRAM-SHA-256' ? 'sha256' : 'sha512'
  return scram({ hash, user, password: password.reveal(), token })
}

/**
 * Logs in, or logs in again, on a connection. Gives the ms that the session lives, 0 for ever.
 * Throws AUTHENTICATION. Source: KIP-43, KIP-152, KIP-368.
 */
export const authenticate = async (sasl: Sasl, where: string, ask: Ask): Promise<number> => {
  const { mechanism, user } = sasl
  const offer = await ask(SaslHandshake, { mechanism })
  if (offer.errorCode === ERROR.ILLEGAL_SASL_STATE) {
    throw new KmigError('AUTHENTICATION', `${where} is a listener without SASL`, {
      try: ['check the port and security.protocol: the listener speaks PLAINTEXT or SSL'],
    })
  }
  if (offer.errorCode !== ERROR.NONE) {
    const theirs = offer.mechanisms.join(', ') || 'none'
    throw new KmigError(
      'AUTHENTICATION',
      `${where} does not take sasl.mechanism ${mechanism}; it takes ${theirs}`,
      {
        try: ['set sasl.mechanism to one that the listener takes'],
      },
    )
  }
  const client = clientOf(sasl)
  let lifetimeMs = 0n
  for (let step = await client.next(); !step.done; ) {
    const answer = await ask(SaslAuthenticate, { authBytes: step.value })
    if (answer.errorCode !== ERROR.NONE) {
      const what = `${where} refused user '${user}' (${mechanism})`
      throw brokerError(answer.errorCode, what, answer.errorMessage)
    }
    lifetimeMs = answer.sessionLifetimeMs
    step = await client.next(answer.authBytes)
  }
  return Number(lifetimeMs)
}
