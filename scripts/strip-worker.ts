import { readFileSync, writeFileSync } from 'node:fs'
import { stripTypeScriptTypes } from 'node:module'
import { join, resolve } from 'node:path'

/**
 * Writes a worker of a script as JavaScript that uses the built package in `dist/`, as users do: Node's own stripping of types
 * doubles what a process takes to start, and costs it 40 MB. Of src/ it may import what the package has: index.ts and testing/index.ts.
 * @param files the worker, and what else of its folder it needs, without `.ts`
 * @param dist another build
 * @returns the worker's file
 */
export function stripWorker (from: string, to: string, files: [worker: string, ...others: string[]], dist = join(import.meta.dirname, '../dist')): string {
  for (const name of files) {
    const source = stripTypeScriptTypes(readFileSync(join(from, `${name}.ts`), 'utf8'))
    writeFileSync(join(to, `${name}.mjs`), source
      .replace(/'\.\/([\w-]+)\.ts'/g, "'./$1.mjs'")
      .replace(/'(?:\.\.\/)+src\/([\w/-]+)\.ts'/g, (_, file: string) => `'${resolve(dist, file)}.js'`))
  }
  return join(to, `${files[0]}.mjs`)
}
