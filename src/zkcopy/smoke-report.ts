import * as z from 'zod'
import { ERRORS, EXIT, type Exit, formatDuration, plural } from '../kit/index.ts'
import { CLIENT_TEXT, CLIENTS } from './one-server.ts'
import { SMOKE_STEPS, type SmokeReport } from './smoke.ts'

const ms = z.number().nonnegative().optional()
/** Fields of `kmig zk smoke --json` besides the envelope. */
export const smokeShape = {
  to: z.string(),
  servers: z.array(
    z.strictObject({
      server: z.string(),
      client: z.enum(CLIENTS).describe(CLIENT_TEXT),
      ms: z
        .strictObject({ connect: ms, create: ms, list: ms, watch: ms, delete: ms, notify: ms })
        .describe(
          'how long each step took, notify from the first deletion on; one that failed or was not reached is absent',
        ),
      failed: z.strictObject({ step: z.enum(SMOKE_STEPS), code: z.string(), message: z.string() }).nullable(),
    }),
  ),
  elapsedMs: z.int().nonnegative(),
}

/** Where several apply: authentication, then a server that is not reached. */
const WEIGHT: readonly Exit[] = [EXIT.auth, EXIT.unreachable]
export const smokeExit = ({ servers }: SmokeReport): Exit => {
  const exits = new Set<Exit>(servers.flatMap(({ failed }) => (failed ? [ERRORS[failed.code].exit] : [])))
  const [only = EXIT.ok] = exits
  return exits.size > 1 ? (WEIGHT.find(exit => exits.has(exit)) ?? EXIT.partial) : only
}

/** A line per server for people. */
export const smokeText = ({ to, servers, elapsedMs }: SmokeReport): string => {
  const lines = servers.map(({ server, client, failed, ms: took }) => {
    const by = client === 'kmig' ? ' (client: kmig)' : ''
    if (failed) return `${server}${by}  FAILED at ${failed.step}: ${failed.code}: ${failed.message}`
    return `${server}${by}  ok: ${SMOKE_STEPS.map(step => `${step} ${took[step] ?? 0} ms`).join(', ')}`
  })
  const bad = servers.filter(({ failed }) => failed).length
  const verdict =
    bad === 0
      ? `${plural(servers.length, 'server')} ok`
      : `${bad} of ${plural(servers.length, 'server')} failed`
  return [...lines, `${to}: ${verdict} in ${formatDuration(elapsedMs)}`].join('\n')
}
