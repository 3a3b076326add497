import { parseConnectString } from '../zookeeper/index.ts'
import { readAuthFile } from './auth-file.ts'
import type { End } from './ensembles.ts'

/** One side from a connect string and, perhaps, a file of credentials. Throws ZK_CONNECT_STRING, USAGE. */
export const endOf = (connectString: string, authFile: string | undefined): End => ({
  ...parseConnectString(connectString),
  auth: authFile === undefined ? undefined : readAuthFile(authFile),
})
