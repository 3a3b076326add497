import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Cutover, type CutoverOptions, cutoverStatus, takeBack } from '../../src/cutover/index.ts'
import {
  Cluster,
  commitOffsets,
  createTopics,
  describeTopicConfigs,
  groupOffsets,
  kafkaJs,
} from '../../src/kafka/index.ts'
import { parseBootstrap } from '../../src/kit/index.ts'
import { Mirror, runMirror } from '../../src/mirror/index.ts'
import { spawned } from '../cli/spawned.ts'
import { discoveryText } from '../discovery/cases.ts'
import { type Pair, pair, servers } from '../sandbox-helper.ts'
import { logOf } from '../wire-log.ts'

const bin = new URL('../../bin/kmig.js', import.meta.url).pathname
const child = new URL('cutover-child.ts', import.meta.url).pathname

servers('kmig cutover', () => {
  let clusters: Pair
  let old: Cluster
  let next: Cluster
  let home: string
  const { signal } = new AbortController()
  const during = { signal }

  beforeAll(async () => {
    home = mkdtempSync(join(tmpdir(), 'kmig-cutover-'))
    clusters = await pair()
    old = await Cluster.open({ bootstrap: parseBootstrap(clusters.old.bootstrap()), signal })
    next = await Cluster.open({ bootstrap: parseBootstrap(clusters.new.bootstrap()), signal })
    const yaml = [
      'clusters:',
      `  old: { bootstrap: ["${clusters.old.bootstrap()}"], zookeeper: "${clusters.old.zookeeper}" }`,
      `  new: { bootstrap: ["${clusters.new.bootstrap()}"], zookeeper: "${clusters.new.zookeeper}/kafka" }`,
    ]
    writeFileSync(join(home, 'kmig.yaml'), `${yaml.join('\n')}\n`)
  })
  afterAll(async () => {
    await old?.[Symbol.asyncDispose]()
    await next?.[Symbol.asyncDispose]()
    await clusters?.[Symbol.asyncDispose]()
    rmSync(home, { recursive: true })
  })

  /** A topic, a group and discovery files of a test's own. */
  const scene = async (name: string) => {
    const root = join(home, name)
    const discovery = join(root, 'srv-configs')
    const stateDir = join(root, 'state')
    mkdirSync(join(discovery, 'kafka_discovery'), { recursive: true })
    const file = join(discovery, 'kafka_discovery/standard.yaml')
    const before = discoveryText({ devc: [clusters.old.bootstrap()] }, clusters.old.zookeeper)
    const after = discoveryText({ devc: [clusters.new.bootstrap()] }, `${clusters.new.zookeeper}/kafka`)
    writeFileSync(file, before)
    await createTopics(old, [
      { name, partitions: 2, replicationFactor: 1, configs: { 'retention.ms': '7200000' } },
    ])
    const write = async (cluster: Cluster, count: number) => {
      const producer = kafkaJs({ brokers: cluster.bootstrap, clientId: name }).producer()
      await producer.connect()
      const messages = Array.from({ length: count }, (_, i) => ({ value: `v${i}`, partition: i % 2 }))
      await producer.send({ topic: name, messages })
      await producer.disconnect()
    }
    await write(old, 200)
    await commitOffsets(old, name, [{ topic: name, partition: 0, offset: 70n, metadata: 'm' }])
    const options: CutoverOptions = {
      from: { name: 'old', bootstrap: old.bootstrap },
      to: { name: 'new', bootstrap: next.bootstrap, zookeeper: `${clusters.new.zookeeper}/kafka` },
      ...{ discovery, stateDir, name, signal },
      topics: [name],
      groups: [name],
      stillForMs: 1_000,
    }
    const kmig = (...args: string[]) =>
      spawned(bin, [
        ...args,
        '--config',
        join(home, 'kmig.yaml'),
        '--state-dir',
        stateDir,
        '--progress',
        'plain',
      ])
    const own = ['--discovery', discovery, '--topics', name, '--groups', name, '--name', name]
    return {
      ...{ name, root, discovery, stateDir, file, before, after, write, options, kmig, own },
      text: () => readFileSync(file, 'utf8'),
      execute: async (more: Partial<CutoverOptions> = {}) => {
        await using cutover = await Cutover.open({ ...options, ...more })
        return await cutover.execute()
      },
      equal: async () => {
        for (const p of [0, 1]) expect(await logOf(next, name, p)).toEqual(await logOf(old, name, p))
      },
      committed: async (cluster: Cluster) =>
        (await groupOffsets(cluster, [name], during))
          .get(name)
          ?.map(({ offset, metadata }) => [offset, metadata]),
      setting: async (cluster: Cluster) =>
        (await describeTopicConfigs(cluster, [name], during)).get(name)?.find(c => c.name === 'retention.ms')
          ?.value,
    }
  }

  test('without --execute prints the plan and the diff, and changes nothing', async () => {
    const s = await scene('plan')
    const { code, stdout, stderr } = await s.kmig('cutover', ...s.own)
    expect(stderr).toContain('nothing was changed')
    expect(stderr).toContain('kafka_discovery/standard.yaml:3: devc moves')
    await createTopics(old, [{ name: 'stays', partitions: 1, replicationFactor: 1, configs: {} }])
    expect((await s.kmig('cutover', ...s.own)).stderr).toContain(
      "STAYS on 'old', though its clients leave: stays",
    )
    expect(stdout).toContain(`-    - ${clusters.old.bootstrap()}\n`)
    expect(stdout).toContain(`+    - ${clusters.new.bootstrap()}\n`)
    expect(code).toBe(0)
    expect(s.text()).toBe(s.before)
    const runs = readdirSync(join(s.stateDir, 'runs'))
    for (const run of runs) expect(readdirSync(join(s.stateDir, 'runs', run))).toEqual(['plan.json'])
    expect((await next.metadata('all', during)).map(topic => topic.name)).not.toContain(s.name)
  })

  test('--execute without --yes and without a terminal is refused, exit 4, and changes nothing', async () => {
    const s = await scene('consent')
    const { code, stderr } = await s.kmig('cutover', ...s.own, '--execute')
    expect({ code, stderr }).toMatchObject({ code: 4, stderr: expect.stringContaining('NEEDS_CONSENT') })
    expect(stderr).toContain('--yes')
    expect(s.text()).toBe(s.before)
    expect((await next.metadata('all', during)).map(topic => topic.name)).not.toContain(s.name)
  })

  test('bad input is refused with its own exit code, and changes nothing', async () => {
    const s = await scene('bad-input')
    const broken = join(s.root, 'broken')
    const empty = join(s.root, 'empty')
    const other = join(s.root, 'other')
    const left = join(s.root, 'left')
    for (const directory of [broken, empty, other, left]) mkdirSync(directory)
    writeFileSync(join(broken, 'a.yaml'), s.before.replace('    zookeeper', '\tzookeeper'))
    writeFileSync(join(other, 'a.yaml'), discoveryText({ prod: ['192.0.2.1:9092'] }))
    writeFileSync(join(left, 'a.yaml'), s.before)
    writeFileSync(join(left, 'app.properties'), `bootstrap.servers=${clusters.old.bootstrap()}\n`)
    const at = ['--discovery', s.discovery]
    const one = ['--topics', s.name]
    const rows: [string[], number, string][] = [
      [[...one, '--discovery', empty], 2, 'DISCOVERY_EMPTY'],
      [[...one, '--discovery', join(s.root, 'gone')], 2, 'DISCOVERY_EMPTY'],
      [[...one, '--discovery', broken], 4, 'a.yaml:6:1: error tab'],
      [[...one, '--discovery', other], 4, 'DISCOVERY_NO_MATCH'],
      [[...one, '--discovery', left], 4, 'app.properties:1:19 names'],
      [[...one, ...at, '--from', 'nowhere'], 2, 'UNKNOWN_CLUSTER'],
      [[...one, ...at, '--to', '127.204.0.1:1'], 10, 'UNREACHABLE'],
      [[...one, ...at, '--still-for', '10ms'], 2, 'USAGE'],
      [['--topics', 'no-such-topic', ...at], 4, 'no topic is chosen'],
    ]
    for (const [args, code, text] of rows) {
      const ended = await s.kmig('cutover', '--name', s.name, '--execute', '--yes', ...args)
      expect({ args, ...ended }).toMatchObject({ args, code, stderr: expect.stringContaining(text) })
    }
    expect(existsSync(join(s.stateDir, 'runs'))).toBe(false)
    expect((await next.metadata('all', during)).map(topic => topic.name)).not.toContain(s.name)
    expect(s.text()).toBe(s.before)
  }, 60_000)

  test('--execute moves records, group, settings and files; done again it changes nothing; rollback restores every byte', async () => {
    const s = await scene('whole')
    const { code, stdout, stderr } = await s.kmig(
      'cutover',
      ...s.own,
      '--execute',
      '--yes',
      '--still-for',
      '1s',
      '--json',
    )
    expect({ code, stderr }).toMatchObject({ code: 0 })
    const report = JSON.parse(stdout)
    expect(report).toMatchObject({
      command: 'cutover',
      ok: true,
      state: 'switched',
      already: false,
      files: [{ path: 'kafka_discovery/standard.yaml' }],
      groups: { groups: 1, partitions: 1, left: [] },
      stranded: [],
    })
    expect(report.partitions).toMatchObject([
      { topic: 'whole', partition: 0, cut: '100', old: '100', new: '100' },
      { topic: 'whole', partition: 1, cut: '100', old: '100', new: '100' },
    ])
    expect(report.pauseMs).toBeGreaterThanOrEqual(1_000)
    expect(s.text()).toBe(s.after)
    await s.equal()
    expect(await s.committed(next)).toEqual([[70n, 'm']])
    expect(await s.setting(next)).toBe('-1')

    const again = await s.kmig('cutover', ...s.own, '--execute', '--yes', '--json')
    expect({ code: again.code, report: JSON.parse(again.stdout) }).toMatchObject({
      code: 0,
      report: { run: report.run, already: true },
    })
    await expect(runMirror({ ...s.options, untilCaughtUp: true, on: undefined })).rejects.toMatchObject({
      code: 'CUT_OVER',
    })

    const status = await s.kmig('cutover', 'status', '--json')
    expect(JSON.parse(status.stdout)).toMatchObject({ run: report.run, state: 'switched' })
    const back = await s.kmig('cutover', 'rollback', '--json')
    expect({ code: back.code, report: JSON.parse(back.stdout) }).toMatchObject({
      code: 0,
      report: { already: false, files: { changed: ['kafka_discovery/standard.yaml'] } },
    })
    expect(s.text()).toBe(s.before)
    expect(await s.setting(next)).toBe('-1')
    expect(JSON.parse((await s.kmig('cutover', 'status', '--json')).stdout)).toMatchObject({
      state: 'rolled-back',
    })
    expect(readdirSync(join(s.stateDir, 'runs'))).toEqual([report.run])
  }, 60_000)

  test('after a rollback the old cluster goes on, and a second cutover moves what came since', async () => {
    const s = await scene('twice')
    await s.execute()
    await takeBack({ stateDir: s.stateDir, signal })
    await s.write(old, 50)
    const report = await s.execute()
    expect(report.partitions.map(({ cut }) => cut)).toEqual(['125', '125'])
    expect(s.text()).toBe(s.after)
    await s.equal()
  }, 60_000)

  test('what changes after the switch stops nothing and is told once: in the output, in status, in the certificate', async () => {
    const s = await scene('drifted')
    const told: string[] = []
    const on: CutoverOptions['on'] = event => event.kind === 'drift' && told.push(...event.found)
    expect(await s.execute({ on })).toMatchObject({ already: false, drift: [] })
    appendFileSync(s.file, '# by hand\n')
    const admin = kafkaJs({ brokers: old.bootstrap }).admin()
    await admin.connect()
    await admin.createPartitions({ topicPartitions: [{ topic: s.name, count: 3 }] })
    const changed = { type: 2, name: s.name, configEntries: [{ name: 'retention.ms', value: '3600000' }] }
    await admin.alterConfigs({ validateOnly: false, resources: [changed] })
    await admin.disconnect()
    const drift = [
      'topic drifted has 3 partitions, it had 2',
      'settings of topic drifted changed',
      'discovery file kafka_discovery/standard.yaml is not as the switch wrote it',
    ]
    for (const _ of ['first', 'second'])
      expect(await s.execute({ on })).toMatchObject({ already: true, drift, stranded: [] })
    expect(told).toEqual(drift)
    const status = await s.kmig('cutover', 'status')
    expect(status.stderr + status.stdout).toContain(`WARNING changed since the plan: ${drift.join('; ')}`)
    const { directory, ...rest } = await cutoverStatus({ stateDir: s.stateDir })
    expect(rest).toMatchObject({ state: 'switched', drift: [{ found: drift }] })
    const certificate = JSON.parse(readFileSync(join(directory, 'certificate.json'), 'utf8'))
    expect(certificate).toMatchObject({ drift, unexplained: [] })
  }, 60_000)

  test('without a way back, rollback is refused once a client has written to the new cluster: exit 7, files stay, the partition is named', async () => {
    const s = await scene('refused')
    await s.execute({ wayBack: false })
    await s.write(next, 3)
    const { code, stderr } = await s.kmig('cutover', 'rollback')
    expect({ code, stderr }).toMatchObject({ code: 7, stderr: expect.stringContaining('ROLLBACK_REFUSED') })
    expect(stderr).toContain('refused-0: 100 -> 102 (+2)')
    expect(s.text()).toBe(s.after)
  }, 60_000)

  test('a writer that ignores the cutover is found: exit 9, partition and growth are named, the old world is intact', async () => {
    const s = await scene('ignorant')
    const stop = new AbortController()
    const writing = (async () => {
      while (!stop.signal.aborted) await s.write(old, 2)
    })()
    const { code, stderr } = await s.kmig('cutover', ...s.own, '--execute', '--yes', '--still-for', '3s')
    stop.abort()
    await writing
    expect({ code, stderr }).toMatchObject({ code: 9, stderr: expect.stringContaining('STILL_WRITTEN') })
    expect(stderr).toMatch(/ignorant-[01]: \d+ -> \d+ \(\+\d+\)/)
    expect(s.text()).toBe(s.before)
    await s.execute()
    expect(s.text()).toBe(s.after)
    await s.equal()
  }, 60_000)

  test('a live reader of the old cluster is waited for until it has read all; where it ends is where it goes on', async () => {
    const s = await scene('reader')
    const consumer = kafkaJs({ brokers: old.bootstrap, clientId: 'reader' }).consumer({ groupId: s.name })
    await consumer.connect()
    await consumer.subscribe({ topics: [s.name], fromBeginning: true })
    await consumer.run({
      autoCommit: false,
      eachMessage: async ({ topic, partition, message }) => {
        await new Promise(done => setTimeout(done, 15))
        await consumer.commitOffsets([{ topic, partition, offset: String(BigInt(message.offset) + 1n) }])
      },
    })
    const waited: bigint[] = []
    await s.execute({
      on: event => event.kind === 'readers' && waited.push(...event.lagging.map(({ lag }) => lag)),
    })
    await consumer.disconnect()
    expect(waited.length).toBeGreaterThan(0)
    expect((await s.committed(next))?.map(([at]) => at)).toEqual([100n, 100n])
    expect(s.text()).toBe(s.after)
  }, 60_000)

  test('a mirror that runs keeps the cutover out: exit 8, files stay', async () => {
    const s = await scene('locked')
    await using mirror = await Mirror.open({ ...s.options, on: undefined })
    await mirror.start()
    const { code, stderr } = await s.kmig('cutover', ...s.own, '--execute', '--yes', '--still-for', '1s')
    expect({ code, stderr }).toMatchObject({ code: 8, stderr: expect.stringContaining('LOCKED') })
    expect(s.text()).toBe(s.before)
  }, 60_000)

  test('SIGTERM puts everything back, exit 143', async () => {
    const s = await scene('terminated')
    const args = ['--config', join(home, 'kmig.yaml'), '--state-dir', s.stateDir, '--progress', 'plain']
    for (const at of ['caught-up:', 'offsets-set:']) {
      const ended = await spawned(
        bin,
        ['cutover', ...s.own, ...args, '--execute', '--yes', '--still-for', '2s'],
        {
          signals: { at, send: 'SIGTERM' },
        },
      )
      expect(ended).toMatchObject({
        code: 143,
        stderr: expect.stringContaining('aborted: everything is as it was'),
      })
      expect(s.text()).toBe(s.before)
      expect(await s.setting(next)).toBe('-1')
    }
    await runMirror({ ...s.options, untilCaughtUp: true, on: undefined })
    await s.equal()
  }, 60_000)

  test('SIGKILL in any state, then the same command: the same result; SIGKILL on the way back too', async () => {
    const s = await scene('killed')
    const options = { ...s.options, to: { name: 'new', bootstrap: next.bootstrap } }
    const kept = s.before.replace(clusters.old.bootstrap(), clusters.new.bootstrap())
    const run = (what: string, state: string) =>
      spawned(child, [
        what,
        state,
        clusters.old.bootstrap(),
        clusters.new.bootstrap(),
        s.discovery,
        s.stateDir,
        s.name,
      ])
    const states = [
      'planned',
      'fenced',
      'drained',
      'sealing',
      'switching',
      'files-written',
      'opening',
      'switched',
    ]
    for (const state of states) {
      expect((await run('execute', state)).code).toBe(-1)
      await using cutover = await Cutover.open(options)
      const report = await cutover.execute()
      expect(report).toMatchObject({ state: 'switched', already: state === 'switched' })
      expect(s.text()).toBe(kept)
      await cutover[Symbol.asyncDispose]()
      if (state === 'switched') expect((await run('rollback', 'back-fencing')).code).toBe(-1)
      await takeBack({ stateDir: s.stateDir, signal })
      expect(s.text()).toBe(s.before)
      await s.write(old, 2)
    }
    await s.execute()
    await s.equal()
  }, 240_000)
})
