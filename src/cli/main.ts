#!/usr/bin/env node
/** The bin. Plain enough for any Node to read, so that an old one gets told instead of failing in the middle. */
import * as nodeModule from 'node:module'

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
if (major < 22 || (major === 22 && minor < 15)) {
  console.error(`a2a-node: Node ${process.versions.node} is too old, 22.15 or later is needed; in this checkout, "npm ci" brings one along for "npx a2a-node"`)
  process.exitCode = 2
} else {
  nodeModule.enableCompileCache()
  if (major < 24) quietAboutSqlite()
  await import('./program.ts').then(({ main }) => main(process.argv.slice(2)))
}

/** Node 22 warns on stderr that its SQLite is experimental; the functions used here did not change when it no longer was. */
function quietAboutSqlite (): void {
  const emitWarning = process.emitWarning.bind(process) as (warning: string | Error, ...rest: unknown[]) => void
  process.emitWarning = (warning: string | Error, ...rest: unknown[]) => {
    if (!String(warning).includes('SQLite is an experimental feature')) emitWarning(warning, ...rest)
  }
}
