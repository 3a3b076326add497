/**
 * Reduces Apache Kafka's message definitions to what a layout needs, for the APIs that kmig speaks:
 * `node test/kafka/definitions.ts <folder of *Request.json and *Response.json>` writes fixtures/wire/definitions.json.
 */
import { readFileSync, writeFileSync } from 'node:fs'
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

const keep = (field: FieldDefinition): FieldDefinition => {
  const { name, type, versions, nullableVersions, taggedVersions, tag, fields } = field
  return {
    name,
    type,
    versions,
    ...(nullableVersions === undefined ? {} : { nullableVersions }),
    ...(tag === undefined ? {} : { tag }),
    ...(taggedVersions === undefined ? {} : { taggedVersions }),
    ...(fields === undefined ? {} : { fields: fields.map(keep) }),
  }
}

if (import.meta.main) {
  const [folder = '.'] = process.argv.slice(2)
  const { TABLES } = await import('./fake-broker.ts')
  const read = (name: string) => {
    const text = readFileSync(join(folder, `${name}.json`), 'utf8').replaceAll(/^\s*\/\/.*$/gm, '')
    return JSON.parse(text) as { apiKey: number; flexibleVersions: string; fields: FieldDefinition[] }
  }
  const all = TABLES.map(({ name }): Definition => {
    const [request, response] = [read(`${name}Request`), read(`${name}Response`)]
    return {
      api: name,
      key: request.apiKey,
      flexibleVersions: request.flexibleVersions,
      request: request.fields.map(keep),
      response: response.fields.map(keep),
    }
  })
  const rows = all.map(row => JSON.stringify(row)).join(',\n')
  writeFileSync(new URL('../../fixtures/wire/definitions.json', import.meta.url), `[\n${rows}\n]\n`)
}
