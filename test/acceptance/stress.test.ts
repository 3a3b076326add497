import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createTopics, deleteTopics } from '../../src/kafka/index.ts'
import { sleep } from '../../src/kit/index.ts'
import { discoveryText } from '../discovery/cases.ts'
import { type Command, MirrorWorld } from '../mirror-world.ts'
import { servers } from '../sandbox-helper.ts'

servers('kmig stress', () => {
  let world: MirrorWorld
  beforeAll(async () => {
    world = await MirrorWorld.open()
  })
  afterAll(async () => await world?.[Symbol.asyncDispose]())

  const lines = ({ stdout }: Command): Record<string, unknown>[] =>
    stdout
      .split('\n')
      .slice(0, -1)
      .map(line => JSON.parse(line))
  const until = async (command: Command, done: (line: Record<string, unknown>) => boolean) => {
    for (;;) {
      const found = lines(command).find(done)
      if (found) return found
      expect(command.process.exitCode, command.stderr).toBe(null)
      await sleep(50)
    }
  }
  const wrote = (more: number) => (line: Record<string, unknown>) =>
    line['kind'] === 'progress' && Number(line['written']) >= more && Number(line['read']) >= more / 2
  const reportOf = async (command: Command) => {
    const { code } = await command.ended
    return { code, report: lines(command).at(-1) as Record<string, never> }
  }
  const stress = (topic: string, ...args: string[]) =>
    world.run('stress', '--topic', topic, '--state-dir', world.stateDir, '--json-stream', ...args)

  test('a writer that is killed is told, its journal counts, and nothing of it is lost, repeated or out of order', async () => {
    const command = stress(
      'killed',
      '--cluster',
      world.bootstrap('new'),
      '--duration',
      '10m',
      '--rate',
      '2000',
    )
    const { pids } = await until(command, ({ kind }) => kind === 'started')
    await until(command, wrote(1_000))
    process.kill((pids as number[])[0] ?? 0, 'SIGKILL')
    expect(await until(command, ({ kind }) => kind === 'died')).toMatchObject({
      worker: 'writer 1',
      how: 'killed by SIGKILL',
    })
    command.process.kill('SIGINT')
    const { code, report } = await reportOf(command)
    expect(code).toBe(130)
    expect(report).toMatchObject({ totals: { lost: 0, repeated: 0, outOfOrder: 0, phantom: 0, corrupt: 0 } })
    expect(report['workers']).toMatchObject([
      { outcome: 'killed' },
      { outcome: 'ended' },
      { outcome: 'ended' },
    ])
    expect(report['reads']).toHaveLength(6)
  })

  test('what was acknowledged and is not where it must be is lost: exit 3, with the serials', async () => {
    for (const cluster of [world.old, world.next])
      await createTopics(cluster, [{ name: 'lost', partitions: 1, replicationFactor: 1 }])
    const ends = ['--from', world.bootstrap('old'), '--to', world.bootstrap('new')]
    const { code, report } = await reportOf(
      stress('lost', ...ends, '--duration', '2s', '--settle', '0s', '--readers', '0', '--writers', '1'),
    )
    const { totals, workers, findings } = report as unknown as {
      totals: { lost: number; records: number }
      workers: { acknowledged: number }[]
      findings: { writers: { lost: [number, number][] }[] }[]
    }
    expect(code).toBe(3)
    expect(totals).toMatchObject({ lost: workers[0]?.acknowledged, records: 0 })
    expect(totals.lost).toBeGreaterThan(0)
    expect(findings[0]?.writers[0]?.lost).toEqual([[0, totals.lost - 1]])
    await deleteTopics(world.next, ['lost'])
  })

  test('writers and readers that follow the discovery files go through a cutover, and nothing is lost, repeated or read twice', async () => {
    const home = join(world.stateDir, 'through')
    const discovery = join(home, 'srv-configs')
    const pause = join(home, 'pause')
    mkdirSync(join(discovery, 'kafka_discovery'), { recursive: true })
    const { old, new: next } = world.clusters
    writeFileSync(
      join(discovery, 'kafka_discovery/standard.yaml'),
      discoveryText({ devc: [old.bootstrap()] }, old.zookeeper),
    )
    writeFileSync(
      join(home, 'kmig.yaml'),
      `clusters:\n  old: { bootstrap: ["${old.bootstrap()}"], zookeeper: "${old.zookeeper}" }\n  new: { bootstrap: ["${next.bootstrap()}"], zookeeper: "${next.zookeeper}/kafka" }\n`,
    )
    const config = ['--config', join(home, 'kmig.yaml')]
    const ends = [...config, '--from', 'old', '--to', 'new', '--discovery', discovery]
    const command = stress(
      'through',
      ...ends,
      '--duration',
      '10m',
      '--pause-file',
      pause,
      '--restart-every',
      '3s',
    )
    await until(command, wrote(1_500))
    writeFileSync(pause, '')
    const moved = world.run(
      ...['cutover', ...ends, '--topics', 'through', '--state-dir', world.stateDir],
      ...['--execute', '--yes', '--still-for', '1s', '--json'],
    )
    expect(await moved.ended).toMatchObject({ code: 0 })
    const at = lines(command)
      .filter(({ kind }) => kind === 'progress')
      .at(-1)
    rmSync(pause)
    await until(command, line => wrote(Number(at?.['written']) + 1_000)(line))
    command.process.kill('SIGINT')
    const { report } = await reportOf(command)
    expect(report).toMatchObject({
      checked: 'new',
      totals: { lost: 0, repeated: 0, outOfOrder: 0, phantom: 0, corrupt: 0 },
    })
    const reads = report['reads'] as unknown as { skipped: string[]; reread: string[]; behind: string }[]
    expect(
      reads.filter(({ skipped, reread, behind }) => skipped.length + reread.length > 0 || behind !== '0'),
    ).toEqual([])
    const places = lines(command).flatMap(line =>
      line['kind'] === 'progress' ? (line['at'] as string[]) : [],
    )
    expect([old.bootstrap(), next.bootstrap()].filter(each => !places.includes(each))).toEqual([])
    expect(existsSync(String(report['directory']))).toBe(true)
  })
})
