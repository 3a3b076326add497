// Writes oclif.manifest.json, so that `kmig --help` need not load every command.
import { writeFileSync } from 'node:fs'
import { Plugin } from '@oclif/core'

const root = new URL('..', import.meta.url).pathname
const plugin = new Plugin({
  root,
  ignoreManifest: true,
  errorOnManifestCreate: true,
  respectNoCacheDefault: true,
})
await plugin.load()
writeFileSync(`${root}/oclif.manifest.json`, JSON.stringify(plugin.manifest))
