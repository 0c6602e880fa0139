import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { it } from 'node:test'
import { mutations } from '../../scripts/mutations.ts'

it('each bug that can be planted has its place in the source', () => {
  const lost = mutations.filter(({ file, from }) => readFileSync(join(import.meta.dirname, '../../src', file), 'utf8').split(from).length !== 2)
  assert.deepEqual(lost.map(({ bug, file }) => `${bug}: ${file}`), [])
})
