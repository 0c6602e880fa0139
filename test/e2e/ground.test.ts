/** Identities made to be where a capability's records are: `node scripts/discovery.ts ground ground-records` tries it with more of them. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { findAmongLiars } from '../support/ground.ts'

it('who offers a capability is found by the DHT, though liars hold one of the places of its records', { timeout: 180_000 }, async t => {
  const { found, sources, ms } = await findAmongLiars({ liars: 10, places: 1, tries: 2_000, finds: 5, byRecords: true })
  t.diagnostic(JSON.stringify({ sources, ms }))
  assert.equal(found, 5)
})
