import { readFile, rm } from 'node:fs/promises'
import { KmigError, writeFileAtomic } from '../kit/index.ts'

const MARK = '# written by `kmig sandbox up`, which overwrites and removes it'

export type NamedCluster = { name: string; bootstrap: string; zookeeper: string }

const textOf = (clusters: readonly NamedCluster[]): string =>
  [
    MARK,
    'clusters:',
    ...clusters.map(
      ({ name, bootstrap, zookeeper }) =>
        `  ${name}: { bootstrap: [${bootstrap.split(',').join(', ')}], zookeeper: "${zookeeper}" }`,
    ),
    '',
  ].join('\n')

/** Throws PREFLIGHT if there is a file that somebody else wrote. */
export const checkOwn = async (path: string): Promise<void> => {
  const text = await readFile(path, 'utf8').catch((e: NodeJS.ErrnoException) => {
    if (e.code === 'ENOENT') return undefined
    throw e
  })
  if (text === undefined || text.startsWith(`${MARK}\n`)) return
  throw new KmigError('PREFLIGHT', `${path} was not written by the sandbox, which would overwrite it`, {
    try: ['work in another directory', 'or name another file: --config sandbox.yaml', 'or move it away'],
  })
}

/** A kmig.yaml of these clusters; removed at the end, unless somebody has changed it since. Throws PREFLIGHT. */
export const writeClusters = async (
  path: string,
  clusters: readonly NamedCluster[],
): Promise<AsyncDisposable> => {
  await checkOwn(path)
  const text = textOf(clusters)
  await writeFileAtomic(path, text, 0o644)
  return {
    [Symbol.asyncDispose]: async () => {
      if ((await readFile(path, 'utf8').catch(() => '')) === text) await rm(path, { force: true })
    },
  }
}
