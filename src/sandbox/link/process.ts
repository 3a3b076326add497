import { bug, messageOf } from '../../kit/index.ts'
import { TcpProxy } from './proxy.ts'
import type { Answer, Call } from './shape.ts'

/** The proxy's own process: does what the parent asks over IPC, and ends with it. */
let proxy: TcpProxy | undefined

const perform = async (asked: Call): Promise<TcpProxy> => {
  if (asked.call === 'listen') {
    proxy = await TcpProxy.listen(asked.args)
    return proxy
  }
  if (!proxy) throw bug(`${asked.call} before listen`)
  if (asked.call === 'shape') proxy.shape(asked.args.directions, asked.args.change)
  if (asked.call === 'reset') proxy.reset(asked.args.after)
  if (asked.call === 'refuse') await proxy.refuse(asked.args.on)
  return proxy
}

process.on('message', (asked: Call) => {
  const answer = (rest: Answer) => process.send?.(rest)
  perform(asked).then(
    done => answer({ id: asked.id, counters: done.counters() }),
    e => answer({ id: asked.id, error: messageOf(e) }),
  )
})
process.on('disconnect', () => process.kill(process.pid))
