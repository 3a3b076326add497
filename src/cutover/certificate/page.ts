import { createHash } from 'node:crypto'
import { formatBytes, formatCount, formatDuration, plural } from '../../kit/index.ts'
import { type Html, html } from './html.ts'
import { contentRows, coverageRows, groupRows, table } from './page-tables.ts'
import type { Certificate } from './shape.ts'
import { STYLE } from './style.ts'

const POLICY = `default-src 'none'; style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'; base-uri 'none'; form-action 'none'`

const VERDICTS: Record<Certificate['verdict'], { title: string; means: string }> = {
  proved: {
    title: 'PROVED',
    means:
      'Every record of the old cluster below the cut is on the new one, and nothing is left unexplained.',
  },
  accepted: {
    title: 'PROVED, with what was accepted',
    means: 'Nothing is left unexplained; what the operator accepted or left out is listed.',
  },
  unproved: { title: 'NOT PROVED', means: 'Read what is unexplained before you go on.' },
}

const WAYS_BACK: Record<Certificate['rollbackClass'], string> = {
  FREE: 'free: kmig cutover rollback. Nothing was written to the new cluster yet.',
  REVERSE:
    'by the reverse copy: kmig cutover rollback. What clients wrote to the new cluster is copied back first.',
  NONE: 'none: the run is complete.',
}

/** A page that needs nothing but itself: what somebody who is woken needs comes first. */
export const certificatePage = (certificate: Certificate): string => {
  const { verdict, unexplained, runId, clusters, state } = certificate
  const { title, means } = VERDICTS[verdict]
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${{ html: POLICY }}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}: cutover ${runId}</title>
<style>${{ html: STYLE }}</style>
</head>
<body>
<section class="verdict ${verdict}">
<h1>${title}</h1>
<p>${means}</p>
<p>Cutover <code>${runId}</code> from ${clusters.old.name} (${clusters.old.id}) to ${clusters.new.name} (${clusters.new.id}), state ${state}, certificate of ${certificate.madeAt}.</p>
</section>
${list('unexplained', 'Unexplained', unexplained)}
${list('not-comparable', 'What was not comparable', incomparable(certificate))}
<h2>At a glance</h2>
<dl class="facts">${glance(certificate)}</dl>
${list('consents', 'Accepted by the operator', certificate.consents)}
${list('drift', 'Changed meanwhile by others', certificate.drift)}
<h2>Write pause</h2>
${table('pause', ['topic', 'ms'], pauseRows(certificate))}
${attempts(certificate)}
<h2>Contents</h2>
${table('contents', ['partition', 'mode', 'log start', 'cut', 'end now, old', 'end now, new', 'records', 'SHA-256, old', 'SHA-256, new'], contentRows(certificate))}
<h2>Groups</h2>
${table('groups', ['group', 'partition', 'from', 'to', 'read again'], groupRows(certificate))}
<h2>Discovery files</h2>
${table('files', ['file', 'before', 'after', 'edits', 'commit'], fileRows(certificate))}
<h2>Everything else</h2>
${table('coverage', ['kind', 'name', 'what', 'why'], coverageRows(certificate))}
<h2>States</h2>
${table(
  'times',
  ['state', 'at', 'ms'],
  certificate.times.map(({ state, at, ms }) => [state, at, ms]),
)}
<h2>Hooks</h2>
${table(
  'hooks',
  ['hook', 'SHA-256', 'exit', 'ms', 'at'],
  certificate.hooks.map(({ name, sha256, rc, ms, at }) => [name, sha256, rc, ms, at]),
)}
<h2>Check it again</h2>
<p><code>kmig cutover check certificate.json</code> reads clusters and files again and says what differs by now. Plan <code>${certificate.planHash}</code>, journal <code>${certificate.journalSha256}</code>, kmig ${certificate.toolVersion}.</p>
</body>
</html>
`.html
}

const list = (id: string, title: string, items: readonly string[]): Html =>
  items.length === 0
    ? html``
    : html`<h2>${title}</h2><ul id="${id}">${items.map(item => html`<li>${item}</li>`)}</ul>`

const incomparable = ({ partitions }: Certificate): string[] =>
  partitions.flatMap(({ topic, partition, notComparable }) =>
    notComparable.map(
      ({ side, from, to, why }) =>
        `${topic}-${partition}: offsets ${from} to ${BigInt(to) - 1n} of the ${side} cluster: ${why}`,
    ),
  )

const attempts = ({ attempts: before }: Certificate): Html =>
  before.length === 0
    ? html``
    : html`<h2>Attempts before, with nothing moved</h2>${table(
        'attempts',
        ['fence', 'from', 'ms', 'let go when', 'why'],
        before.map(({ driver, from, ms, state, code, why }) => [driver, from, ms, state, `${code}: ${why}`]),
      )}`

const pauseRows = ({ pause }: Certificate) => pause.map(({ topic, ms }) => [topic, ms ?? 'not over yet'])

const fileRows = ({ files }: Certificate) =>
  files.map(({ path, before, after, edits, commit }) => [path, before, after, edits, commit])

const strandedText = (stranded: Certificate['stranded']): string => {
  if (stranded.length === 0) return 'nothing'
  const carried = stranded.filter(each => each.carried).length
  return `${plural(stranded.length, 'range')}, ${carried} carried to the new cluster, ${stranded.length - carried} listed as unexplained`
}

const glance = (certificate: Certificate): Html[] => {
  const { partitions, pause, rollbackClass, fence, duplicates, stranded, reverse, external } = certificate
  const sum = (of: (each: Certificate['partitions'][number]) => number) =>
    partitions.reduce((n, each) => n + of(each), 0)
  const longest = Math.max(0, ...pause.map(({ ms }) => ms ?? 0))
  const over = pause.every(({ ms }) => ms !== undefined)
  const elsewhere = external.filter(({ valid }) => !valid).map(({ consumer }) => consumer)
  const facts: [name: string, text: string][] = [
    ['way back', `${rollbackClass}: ${WAYS_BACK[rollbackClass]}`],
    ['write pause', over ? formatDuration(longest) : 'not over yet'],
    [
      'contents',
      `${plural(partitions.length, 'partition')}, ${formatCount(sum(each => each.records))} records, ${formatBytes(sum(each => each.bytes))} read from both clusters and digested`,
    ],
    [
      'fence',
      `${fence.driver}: ${plural(fence.partitions, 'log end')} stood still for ${formatDuration(fence.windowMs)}, seen ${plural(fence.sweeps, 'time')} from ${fence.from} to ${fence.to}`,
    ],
    ['log ends', fence.ends.text],
    ['producers', `${fence.producers.asked ? '' : 'NOT ASKED: '}${fence.producers.text}`],
    ['transactions', `${fence.transactions.asked ? '' : 'NOT ASKED: '}${fence.transactions.text}`],
    ...fence.evidence.map((text): [string, string] => ['evidence', text]),
    [
      'repeats by clients',
      `${duplicates.bound === undefined ? 'at most' : `at most ${duplicates.bound}`} ${duplicates.bound === undefined ? '' : 'batches: '}${duplicates.basis}`,
    ],
    ['stranded', strandedText(stranded)],
    [
      'reverse copy',
      reverse
        ? `armed, producer ${reverse.producerId}, state in ${reverse.stateTopic}${reverse.lag === undefined ? '' : `, ${reverse.lag} records behind`}`
        : 'none',
    ],
    ['offsets elsewhere', elsewhere.length === 0 ? 'stay valid' : `NOT valid for ${elsewhere.join('; ')}`],
  ]
  return facts.map(([name, text]) => html`<dt>${name}</dt><dd>${text}</dd>`)
}
