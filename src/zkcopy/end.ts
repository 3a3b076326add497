import { readZookeeperProperties } from '../config/index.ts'
import { parseConnectString } from '../zookeeper/index.ts'
import { readAuthFile } from './auth-file.ts'
import type { End } from './ensembles.ts'

/**
 * One side from a connect string and, perhaps, a file that says who logs in and how: a line per `scheme:secret`, the
 * properties of a ZooKeeper client, or both. Throws ZK_CONNECT_STRING, USAGE, CONFIG_INVALID, UNSUPPORTED.
 */
export const endOf = (connectString: string, loginFile: string | undefined): End => {
  const address = parseConnectString(connectString)
  if (loginFile === undefined) return address
  const { auth, properties } = readAuthFile(loginFile)
  return { ...address, auth, ...(properties ? readZookeeperProperties(loginFile) : {}) }
}
