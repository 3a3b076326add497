/**
 * Reduces Apache Kafka's message definitions to what a layout needs, for the APIs that kmig speaks:
 * `node test/kafka/definitions.ts <folder of *Request.json and *Response.json>` writes fixtures/wire/definitions.json.
 * APIs that the folder lacks keep the row that they have.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export type FieldDefinition = {
  name: string
  type: string
  versions: string
  nullableVersions?: string
  taggedVersions?: string
  tag?: number
  fields?: FieldDefinition[]
}
export type Definition = {
  api: string
  key: number
  flexibleVersions: string
  request: FieldDefinition[]
  response: FieldDefinition[]
}

type Shared = readonly { name: string; fields: FieldDefinition[] }[]
const keep = (field: FieldDefinition, shared: Shared = []): FieldDefinition => {
  const { name, type, versions, nullableVersions, taggedVersions, tag } = field
  const fields = field.fields ?? shared.find(each => each.name === type.replace('[]', ''))?.fields
  return {
    name,
    type,
    versions,
    ...(nullableVersions === undefined ? {} : { nullableVersions }),
    ...(tag === undefined ? {} : { tag }),
    ...(taggedVersions === undefined ? {} : { taggedVersions }),
    ...(fields === undefined ? {} : { fields: fields.map(each => keep(each, shared)) }),
  }
}

if (import.meta.main) {
  const [folder = '.'] = process.argv.slice(2)
  const { TABLES } = await import('./fake-broker.ts')
  const read = (name: string) => {
    const text = readFileSync(join(folder, `${name}.json`), 'utf8').replaceAll(/^\s*\/\/.*$/gm, '')
    return JSON.parse(text) as {
      apiKey: number
      flexibleVersions: string
      fields: FieldDefinition[]
      commonStructs?: Shared
    }
  }
  const file = new URL('../../fixtures/wire/definitions.json', import.meta.url)
  const known = JSON.parse(readFileSync(file, 'utf8')) as Definition[]
  const all = TABLES.map(({ name }): Definition => {
    const old = known.find(({ api }) => api === name)
    if (old && !existsSync(join(folder, `${name}Request.json`))) return old
    const [request, response] = [read(`${name}Request`), read(`${name}Response`)]
    return {
      api: name,
      key: request.apiKey,
      flexibleVersions: request.flexibleVersions,
      request: request.fields.map(each => keep(each, request.commonStructs)),
      response: response.fields.map(each => keep(each, response.commonStructs)),
    }
  })
  const rows = all.map(row => JSON.stringify(row)).join(',\n')
  writeFileSync(file, `[\n${rows}\n]\n`)
}
