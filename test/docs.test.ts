/** The docs and the code say the same. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import assert from 'node:assert/strict'
import { exitCodeOf } from '../src/cli/exit.ts'
import type { Failure } from '../src/core/errors.ts'

const root = join(import.meta.dirname, '..')
const read = (path: string): string => readFileSync(join(root, path), 'utf8')

describe('docs/errors.md', () => {
  const codes = [...read('src/core/errors.ts').matchAll(/^ {2}\| \{ code: '([A-Z_]+)'/gm)].map(([, code]) => code)
  const rows = [...read('docs/errors.md').matchAll(/^\| `([A-Z_]+)` \| (\d) \|/gm)].map(([, code, exit]) => ({ code, exit: Number(exit) }))

  it('has every code once', () => {
    assert.ok(codes.length > 30)
    assert.deepEqual(rows.map(({ code }) => code).toSorted(), codes.toSorted())
  })

  it('names the exit code of each', () => {
    for (const { code, exit } of rows) assert.equal(exitCodeOf({ code } as Failure), exit, code)
  })
})
