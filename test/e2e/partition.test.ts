/** A network that falls apart and comes together; `node scripts/discovery.ts partition` does it with 40 nodes, for a minute. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { partition } from '../support/crowd-trials.ts'
import { createLink } from '../support/namespace.ts'

it('two halves of a network that was cut find each other again, and who came and left meanwhile', { timeout: 60_000 }, async test => {
  const link = createLink()
  if ('skipped' in link) { test.skip(link.skipped); return }
  using _ = link
  const { againMs } = await partition(link, { half: 2, ofProcess: 2, splitMs: 6_000, limitMs: 10_000 })
  assert.equal(againMs.length, 4)
})
