import { type Html, html } from './html.ts'
import type { Certificate } from './shape.ts'

export type Cell = string | number | undefined

export const table = (id: string, head: readonly string[], rows: readonly (readonly Cell[])[]): Html =>
  rows.length === 0
    ? html`<p>none</p>`
    : html`<div class="wide"><table id="${id}"><thead><tr>${head.map(each => html`<th>${each}</th>`)}</tr></thead><tbody>${rows.map(
        row => html`<tr>${row.map(cell)}</tr>\n`,
      )}</tbody></table></div>`

const NUMBER = /^-?\d+$/
const DIGEST = /^[0-9a-f]{40,64}$/
const cell = (content: Cell): Html => {
  const text = content === undefined ? '' : String(content)
  if (NUMBER.test(text)) return html`<td class="n">${text}</td>`
  return DIGEST.test(text)
    ? html`<td><code title="${text}">${text.slice(0, 12)}…</code></td>`
    : html`<td>${text}</td>`
}

export const contentRows = ({ partitions }: Certificate): Cell[][] =>
  partitions.map(
    ({ topic, partition, mode, startOld, cut, endOld, endNew, records, digestOld, digestNew }) => [
      `${topic}-${partition}`,
      ...[
        mode,
        startOld,
        cut,
        endOld,
        endNew,
        records,
        digestOld ?? 'not compared',
        digestNew ?? 'not compared',
      ],
    ],
  )

export const groupRows = ({ groups }: Certificate): Cell[][] =>
  groups.flatMap(({ id, partitions, refusedWhy }) =>
    refusedWhy
      ? [[id, `NOT MOVED: ${refusedWhy}`, undefined, undefined, undefined]]
      : partitions.map(({ topic, partition, from, to, reread }) => [
          id,
          `${topic}-${partition}`,
          from,
          to,
          reread,
        ]),
  )

export const coverageRows = ({ coverage }: Certificate): Cell[][] =>
  coverage.map(({ kind, name, what, why }) => [kind, name, what, why ?? undefined])
