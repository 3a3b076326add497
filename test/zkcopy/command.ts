import ZkCopy from '../../commands/zkcopy.ts'

ZkCopy.id = 'zkcopy'
await ZkCopy.run(process.argv.slice(2), import.meta.url)
