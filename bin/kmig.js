#!/usr/bin/env node
import './node.js'

const { run } = await import('../dist/src/cli/run.js')
await run(import.meta.url)
