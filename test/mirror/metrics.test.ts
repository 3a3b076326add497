import { request } from 'node:http'
import { createServer } from 'node:net'
import { expect, test } from 'vitest'
import { Offset } from '../../src/kit/index.ts'
import { Brakes } from '../../src/mirror/brakes.ts'
import { Lane } from '../../src/mirror/lane.ts'
import { metricsText, serveMetrics } from '../../src/mirror/metrics.ts'
import { meter } from '../../src/mirror/progress.ts'

const freePort = async () => {
  const server = createServer()
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const at = server.address()
  await new Promise(resolve => server.close(resolve))
  return at && typeof at === 'object' ? at.port : 0
}

const ask = (port: number, { path = '/metrics', host = `127.0.0.1:${port}`, method = 'GET' } = {}) =>
  new Promise<{ status: number | undefined; body: string }>((resolve, reject) => {
    const asking = request({ port, host: '127.0.0.1', path, method, headers: { host } }, response => {
      let body = ''
      response
        .on('data', data => (body += data))
        .on('end', () => resolve({ status: response.statusCode, body }))
    })
    asking.on('error', reject).end()
  })

test('metrics are served to who asks this host, read only, and to nobody by another host’s name', async () => {
  const port = await freePort()
  await using _ = await serveMetrics({ host: '127.0.0.1', port }, () => 'up 1\n')
  expect(await ask(port)).toEqual({ status: 200, body: 'up 1\n' })
  expect((await ask(port, { host: `localhost:${port}` })).status).toBe(200)
  expect((await ask(port, { host: 'evil.example' })).status).toBe(403)
  expect((await ask(port, { host: `evil.example:${port}` })).status).toBe(403)
  expect((await ask(port, { path: '/other' })).status).toBe(404)
  expect((await ask(port, { method: 'POST' })).status).toBe(405)
  await expect(serveMetrics({ host: '127.0.0.1', port }, () => '')).rejects.toMatchObject({
    code: 'PREFLIGHT',
  })
})

test('each metric has its help and type, rows per topic, and names escaped', () => {
  const lane = (topic: string, partition: number) => {
    const made = new Lane({
      ...{ topic, partition, start: Offset(0n), producer: { id: 1n, epoch: 0 } },
      anchor: { offset: Offset(0n), ordinal: 0n, epoch: -1 },
    })
    made.sourceEnd = Offset(30n)
    made.sourceStable = Offset(25n)
    return made
  }
  const lanes = [lane('a', 0), lane('a', 1), lane('b', 0)]
  using gauge = meter(lanes, new Brakes(), { everyMs: 60_000 })
  const text = metricsText({
    name: 'm"1',
    lanes,
    progress: gauge.now,
    refused: 2,
    requests: new Map([['source/Fetch', 7]]),
  })
  for (const line of text.trimEnd().split('\n'))
    expect(line).toMatch(/^(# (HELP|TYPE) kmig_mirror_[a-z_]+ .+|kmig_mirror_[a-z_]+\{.*\} -?\d+(\.\d+)?)$/)
  expect(text).toContain('kmig_mirror_lag_records{mirror="m\\"1",topic="a"} 50\n')
  expect(text).toContain('kmig_mirror_open_records{mirror="m\\"1",topic="b"} 5\n')
  expect(text).toContain('kmig_mirror_refused_topics{mirror="m\\"1"} 2\n')
  expect(text).toContain('kmig_mirror_requests_total{mirror="m\\"1",side="source",api="Fetch"} 7\n')
})
