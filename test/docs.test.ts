/** The docs and the code say the same. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import assert from 'node:assert/strict'
import { exitCodeOf } from '../src/cli/exit.ts'
import { ALL_FAULTS, PROMISES } from '../src/testing/index.ts'
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

describe('docs/simulator.md', () => {
  const text = read('docs/simulator.md')
  const rows = (heading: string): string[] => [...(text.split(`## ${heading}\n`)[1]?.split('\n## ')[0] ?? '').matchAll(/^\| (`[^|]+) \|/gm)].flatMap(([, names = '']) => [...names.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name)).filter(name => name !== 'faults')

  it('has every fault', () => { assert.deepEqual(rows('Faults').toSorted(), Object.keys(ALL_FAULTS).toSorted()) })

  it('says of every promise what the code says', () => {
    const said = Object.fromEntries([...text.matchAll(/^\| `([a-z-]+)` \| (.*\.) \|$/gm)].map(([, name, says]) => [name, says]))
    assert.deepEqual(said, PROMISES)
  })

  it('has an example test that passes, and fails when the agent is wrong', () => {
    const [, program = ''] = /```ts\n(.*?)```/s.exec(text) ?? []
    // Inside the checkout, so that it finds the package by its own name.
    const folder = mkdtempSync(join(root, 'docs-test-'))
    try {
      const run = (source: string): number | null => {
        writeFileSync(join(folder, 'example.test.ts'), source)
        const { NODE_TEST_CONTEXT: _, ...env } = process.env
        return spawnSync(process.execPath, ['--test', join(folder, 'example.test.ts')], { env, timeout: 120_000 }).status
      }
      assert.equal(run(program), 0)
      assert.equal(run(program.replace('sum + number, 0)', 'sum + number, 1)')), 1)
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })
})
