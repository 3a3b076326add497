import { entriesOf, lookAtBelongings } from '../../inventory/index.ts'
import { type Acl, listAcls, rightsOf } from '../../kafka/index.ts'
import type { During } from '../../kit/index.ts'
import type { Seen } from '../proof/index.ts'
import { type Facts, settingOf, tried } from './facts.ts'
import { about, type Finding, looked, notChecked, type Outcome } from './finding.ts'
import type { Probed } from './preflight.ts'

type Found = Omit<Finding, 'id'>
const WITHIN_MS = 15_000
const EVERYONE = 'allow.everyone.if.no.acl.found'

export type AccessOptions = During & {
  /** The fence of the old cluster, if one is chosen. */
  driver?: Probed | undefined
  /** Whether a copy back is to be armed; default true. */
  wayBack?: boolean | undefined
  /** Whether the run makes the ACLs that the new cluster lacks. */
  syncAcls?: boolean | undefined
}

/** Who may do what, before and after; whether the fence holds and lets kmig itself pass. */
export const accessChecks = async (
  facts: Facts,
  { driver, wayBack, syncAcls, signal }: AccessOptions,
): Promise<Outcome[]> => {
  const { old, moving } = facts
  const acls = await tried(() => listAcls(old.cluster, { signal, withinMs: WITHIN_MS }), { signal })
  const rights = await tried(() => rightsOf(old.cluster, [...moving], { signal, withinMs: WITHIN_MS }), {
    signal,
  })
  return [
    await driverProbe(driver, { signal }),
    sealPasses(acls),
    wayBack === false
      ? notChecked('write-right-on-old', 'no way back was asked for (--no-way-back)')
      : rights.kind === 'unseen'
        ? notChecked('write-right-on-old', rights.why)
        : looked('write-right-on-old', mayWrite(facts, rights.value.topics)),
    await aclDiff(facts, { syncAcls, signal }),
    allowEveryone(facts, acls),
  ]
}

const driverProbe = async (driver: Probed | undefined, { signal }: During): Promise<Outcome> => {
  const id = 'fence-driver-probe'
  if (!driver) return notChecked(id, 'no fence was named (--fence)')
  const seen = await tried(() => driver.probe(), { signal })
  return seen.kind === 'unseen'
    ? notChecked(id, seen.why)
    : looked(
        id,
        seen.value.map(({ severity, what, fix }) => ({ severity, evidence: what, fix })),
      )
}

const sealPasses = (acls: Seen<readonly Acl[] | undefined>): Outcome => {
  const id = 'seal-passes-mirror'
  if (acls.kind === 'unseen') return notChecked(id, acls.why)
  if (!acls.value) return looked(id) // without an authorizer no ACL seals; the fence stays engaged
  return notChecked(
    id,
    "no API tells whether kmig's user is a super user of the old cluster: a seal by ACLs tries it when it is engaged, and takes itself back if not",
  )
}

/** The way back writes to the old cluster, past its seal. */
const mayWrite = (
  { old, moving }: Facts,
  rights: ReadonlyMap<string, ReadonlySet<string> | undefined>,
): Found[] =>
  about(
    [...moving].filter(topic => rights.get(topic)?.has('write') === false),
    {
      severity: 'error',
      evidence: names =>
        `kmig's user may not write to topics of '${old.name}': after the switch there would be no way back: ${names}`,
      fix: `allow it Write on these topics of '${old.name}', or make it a super user there`,
    },
  )

const aclDiff = async (
  { old, next }: Facts,
  { syncAcls = false, signal }: Pick<AccessOptions, 'syncAcls' | 'signal'>,
): Promise<Outcome> => {
  const seen = await tried(
    signal => lookAtBelongings({ source: old, target: next, sync: ['acls', 'quotas'], signal }),
    { signal },
  )
  if (seen.kind === 'unseen') return notChecked('acl-diff', seen.why)
  const { acls } = seen.value
  const refused = entriesOf(seen.value).filter(({ kind, outcome }) => kind === 'acl' && outcome === 'refused')
  const unread = refused.find(({ name }) => name === '(all)')
  if (unread) return notChecked('acl-diff', unread.why ?? '')
  return looked('acl-diff', [
    ...about(syncAcls ? [] : acls.make.map(aclName), {
      severity: 'error',
      evidence: names => `ACLs of '${old.name}' that '${next.name}' lacks: ${names}`,
      fix: 'kmig cutover --sync-acls makes them, or kmig mirror --sync topics,configs,acls',
    }),
    ...about(
      refused.map(({ name, why }) => `${name} (${why})`),
      {
        severity: 'warning',
        evidence: names => `ACLs of '${old.name}' that '${next.name}' can't have: ${names}`,
        fix: `set authorizer.class.name on the brokers of '${next.name}', or accept that nobody is kept out there`,
      },
    ),
  ])
}
const aclName = ({ permission, principal, operation, resource, name, pattern }: Acl): string =>
  `${permission} ${principal} ${operation} on ${resource} ${name}${pattern === 'prefixed' ? '*' : ''}`

/** Where it is set, a first ACL on a topic takes the topic away from everybody else. */
const allowEveryone = ({ old, next }: Facts, acls: Seen<readonly Acl[] | undefined>): Outcome => {
  const id = 'allow-everyone'
  if (acls.kind === 'seen' && !acls.value) return looked(id)
  const found: Found[] = []
  for (const { name, brokerConfigs } of [old, next]) {
    if (brokerConfigs.kind === 'unseen') return notChecked(id, brokerConfigs.why)
    const values = [...brokerConfigs.value].map(([broker, entries]) => ({
      broker,
      value: settingOf(entries, EVERYONE),
    }))
    if (values.some(({ value }) => value === null))
      return notChecked(
        id,
        `brokers of '${name}' have ${EVERYONE} set and hide its value; see their server.properties`,
      )
    found.push(
      ...about(
        values.filter(({ value }) => value === 'true').map(({ broker }) => `broker ${broker}`),
        {
          severity: 'warning',
          evidence: names =>
            `${EVERYONE}=true on '${name}': ${names}; a topic's first ACL closes it to all others`,
          fix: 'give every user an ACL before the fence or the seal makes the first one',
        },
      ),
    )
  }
  return looked(id, found)
}
