import { existsSync, statSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { findClusters } from '../../src/config/index.ts'
import { Cluster } from '../../src/kafka/index.ts'
import { startOf } from '../../src/kit/index.ts'
import type { Status } from '../../src/sandbox/index.ts'
import { spawned } from '../cli/spawned.ts'
import { linesOf } from '../lines-of.ts'
import { servers } from '../sandbox-helper.ts'

const script = new URL('../sandbox/command.ts', import.meta.url).pathname

const inDirectory = async () => {
  const cwd = await mkdtemp(join(tmpdir(), 'kmig-up-'))
  onTestFinished(() => rm(cwd, { recursive: true }))
  const kmig = async (name: string) =>
    JSON.parse((await spawned(script, [name, '--json'], { cwd })).stdout) as { status: Status | null }
  const up = async () => {
    const { child, next } = linesOf([script, 'up', '--json-stream', '--links', '--quiet'], cwd)
    const { status } = JSON.parse(await next()) as { status: Status }
    const pids = status.clusters.flatMap(({ nodes }) => nodes.map(({ pid }) => pid ?? 0))
    const ended = new Promise<number | null>(resolve => child.once('exit', resolve))
    return { child, status, pids, ended }
  }
  return { cwd, kmig, up }
}
/** Three pairs are started one after the other: on a busy machine that takes its time. */
const BUSY = { timeout: 300_000 }
const gone = (pids: number[]) => pids.every(pid => startOf(pid) === undefined)

servers('kmig sandbox', () => {
  test(
    'up writes a kmig.yaml that leads to both clusters, also after its SIGKILL; down ends them and removes it',
    BUSY,
    async () => {
      const { cwd, kmig, up } = await inDirectory()
      const first = await up()
      expect(first.pids).toHaveLength(4)
      expect(statSync(join(cwd, '.kmig/sandbox/up.sock')).mode & 0o777).toBe(0o600)
      expect((await kmig('status')).status).toEqual(first.status)
      first.child.kill('SIGKILL')
      await expect.poll(() => gone(first.pids), { timeout: 5_000 }).toBe(true)
      expect((await kmig('status')).status).toBeNull()

      const second = await up()
      const clusters = findClusters({ cwd, env: {} })
      for (const name of ['old', 'new']) {
        await using cluster = await Cluster.open({ bootstrap: clusters.kafka(name).bootstrap })
        expect(cluster.brokers.size).toBe(1)
        expect(clusters.zookeeper(name)).toMatch(/^127\.\d+\.\d\.9:2181\/kafka$/)
      }
      expect(await readFile(join(cwd, 'kmig.yaml'), 'utf8')).toMatch(/^# written by `kmig sandbox up`/)
      const refused = await spawned(script, ['up'], { cwd })
      expect([refused.code, refused.stderr]).toEqual([8, expect.stringContaining('LOCKED')])
      expect(await kmig('down')).toMatchObject({ ended: true, directory: second.status.directory })
      expect(await second.ended).toBe(0)
      expect(gone(second.pids)).toBe(true)
      expect(existsSync(join(cwd, 'kmig.yaml'))).toBe(false)
      expect(existsSync(second.status.directory)).toBe(false)
    },
  )

  test('up ends by SIGTERM with exit 143 and leaves nothing', BUSY, async () => {
    const { cwd, up } = await inDirectory()
    const { child, pids, ended } = await up()
    child.kill('SIGTERM')
    expect(await ended).toBe(143)
    expect(gone(pids)).toBe(true)
    expect(existsSync(join(cwd, 'kmig.yaml'))).toBe(false)
    expect(existsSync(join(cwd, '.kmig'))).toBe(false)
  })
})
