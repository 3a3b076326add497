import { isKmigError, LockFile } from '../../src/kit/index.ts'

/** Takes the lock that is named, says what came of it, and lives until it is killed. */
try {
  await LockFile.take(process.argv[2] ?? '', 'the lock of a test')
  process.send?.('held')
} catch (e) {
  process.send?.(isKmigError(e) ? e.code : String(e))
}
setInterval(() => {}, 1_000)
process.on('disconnect', () => process.exit())
