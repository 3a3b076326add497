import { unifiedDiff } from './diff.ts'
import { type ByteEdit, sha256, splice, toByteEdits } from './edit.ts'
import { type EditKind, partsOf } from './edit-kind.ts'
import type { Finding } from './findings.ts'
import { matchOf } from './match.ts'
import { assertModelChange, type FieldChange, placeOf } from './model.ts'
import type { DiscoveryFile, Entry } from './parse.ts'
import type { Known, Part, Say } from './parts.ts'

/** One file that shall change: from these bytes to those, by these edits, which mean these changes of values. */
export type FileChange = {
  path: string
  shaBefore: string
  shaAfter: string
  edits: ByteEdit[]
  fields: FieldChange[]
}

/** One value that shall change, with its place in the file as it is: bytes [from, to). */
export type PlannedEdit = {
  file: string
  /** `clusters.<name>.<key>`, `local_config.cluster`. */
  path: string
  range: [from: number, to: number]
  /** null: the entry is not there. */
  before: string | readonly string[] | null
  after: string | readonly string[] | null
  shaBefore: string
  shaAfter: string
}

export type FilePlan = {
  /** Entries that must change, or bring a change about. */
  change: Entry[]
  /** The others that name one of the clusters: they are as they shall be. */
  already: Entry[]
  findings: Finding[]
  made: { change: FileChange; edits: PlannedEdit[]; diff: string } | undefined
}

/** Plans one file. An error among the findings means that nothing was made of it. */
export const planFile = (file: DiscoveryFile, known: Known, kind: EditKind): FilePlan => {
  const findings: Finding[] = []
  const say: Say = (severity, rule, index, message) =>
    findings.push({ severity, rule, path: file.path, ...file.source.position(index), message })
  const matches = Map.groupBy(file.entries, entry => matchOf(entry, known.oldKeys, known.newKeys))
  const named = { old: matches.get('old') ?? [], next: matches.get('new') ?? [] }
  const byEntry = partsOf(file, { known, kind, ...named, say })
  const parts = [...byEntry.values()].flat()
  const broken = findings.some(f => f.severity === 'error')
  const made = broken ? undefined : make(file, parts)
  const all = [...named.old, ...named.next]
  const changes = (entry: Entry) => (byEntry.get(entry) ?? []).some(({ edits }) => edits.length > 0)
  return { change: all.filter(changes), already: all.filter(entry => !changes(entry)), findings, made }
}

const make = ({ path, source, raw }: DiscoveryFile, parts: readonly Part[]): FilePlan['made'] => {
  const edits = toByteEdits(
    source,
    parts.flatMap(part => part.edits),
  )
  if (edits.length === 0) return undefined
  const fields = parts.map(part => part.field)
  const bytes = splice(raw.bytes, edits)
  const text = bytes.toString()
  assertModelChange(path, source.text, text, fields)
  const shas = { shaBefore: raw.sha, shaAfter: sha256(bytes) }
  return {
    change: { path, ...shas, edits, fields },
    edits: parts
      .filter(part => part.edits.length > 0)
      .flatMap(({ edits: own, field }) => {
        const [from, to] = [
          Math.min(...own.map(({ start }) => start)),
          Math.max(...own.map(({ end }) => end)),
        ]
        const range: [number, number] = [source.byteAt(from), source.byteAt(to)]
        return valuesOf(field).map(values => ({ file: path, range, ...values, ...shas }))
      }),
    diff: unifiedDiff(path, source.text, text),
  }
}

/** A change value by value: an entry that comes or goes is two. */
const valuesOf = (field: FieldChange): Pick<PlannedEdit, 'path' | 'before' | 'after'>[] => {
  const path = placeOf(field)
  if (field.key !== 'entry') return [{ path, before: field.before, after: field.after }]
  const { before, after } = field
  return (['broker_list', 'zookeeper'] as const).map(key => ({
    path: `${path}.${key}`,
    before: before?.[key] ?? null,
    after: after?.[key] ?? null,
  }))
}
