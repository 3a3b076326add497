import { zkcopy } from '../zkcopy/index.ts'
import {
  type Acl,
  aclOf,
  childPath,
  create,
  getAcl,
  getChildren,
  getData,
  must,
  OPEN_ACL,
  PERM,
  parseConnectString,
  ZkSession,
} from '../zookeeper/index.ts'
import type { Served } from './world.ts'

/** Where the application keeps its own znodes; one of them is ephemeral and belongs to a running instance. */
const APP = '/app'
const SERVICES = 20
const ENDPOINTS = 10
const LOCAL_ACL = aclOf([
  { perms: PERM.read, scheme: 'world', id: 'anyone' },
  { perms: PERM.all, scheme: 'ip', id: '127.0.0.0/8' },
])

type Options = { signal: AbortSignal }
const sessionOf = async ({ ensemble }: Served, { signal }: Options): Promise<ZkSession> =>
  await ZkSession.open({ ...parseConnectString(ensemble), signal })

/** Makes the application's znodes; its session holds the ephemeral one, so it stays open. */
export const seedZnodes = async (side: Served, options: Options): Promise<AsyncDisposable> => {
  const session = await sessionOf(side, options)
  const make = async (path: string, data: string, acl: Acl = OPEN_ACL, ephemeral = false) =>
    must(await session.call(create, { path, data: Buffer.from(data), acl, ephemeral }), `create ${path}`)
  await make(APP, 'root of the application')
  for (let service = 0; service < SERVICES; service++) {
    const path = `${APP}/service-${service}`
    await make(path, `{"service":${service}}`, service % 2 ? LOCAL_ACL : OPEN_ACL)
    for (let n = 0; n < ENDPOINTS; n++) await make(`${path}/endpoint-${n}`, `10.0.${service}.${n}:8080`)
  }
  await make(`${APP}/leader`, 'this process', OPEN_ACL, true)
  return session
}

export type ZnodeFindings = { copied: number; ephemerals: number; equal: boolean }

/** Copies them by zkcopy, then reads both sides znode by znode. */
export const moveZnodes = async (from: Served, to: Served, options: Options): Promise<ZnodeFindings> => {
  const end = ({ ensemble }: Served) => parseConnectString(`${ensemble}${APP}`)
  const { created, ephemerals } = await zkcopy({ from: end(from), to: end(to), signal: options.signal })
  const [there, here] = [await readTree(to, options), await readTree(from, options)]
  return { copied: created, ephemerals, equal: JSON.stringify(there) === JSON.stringify(here) }
}

/** Path, data and ACL of every znode that stays when its session ends. */
const readTree = async (side: Served, options: Options): Promise<string[][]> => {
  await using session = await sessionOf(side, options)
  const rows: string[][] = []
  const visit = async (path: string): Promise<void> => {
    const { data, stat } = must(await session.call(getData, { path }), `get ${path}`)
    if (stat.ephemeralOwner !== 0n) return
    const { acl } = must(await session.call(getAcl, { path }), `getACL ${path}`)
    rows.push([path, data?.toString('latin1') ?? '', acl.toString('latin1')])
    const children = must(await session.call(getChildren, { path }), `children of ${path}`)
    for (const name of children.sort()) await visit(childPath(path, name))
  }
  await visit(APP)
  return rows
}
