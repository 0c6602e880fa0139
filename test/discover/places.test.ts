import assert from 'node:assert/strict'
import { test } from 'node:test'
import { levelOf, placesOf, SHARD, shardsAt } from '../../src/discover/places.ts'

const text = (key: Uint8Array): string => new TextDecoder().decode(key)
const agents = (count: number): string[] => Array.from({ length: count }, (_, i) => `did:key:z${i}`)

/** Who is kept where, of a domain with so many agents that know how many they are. */
function spread (count: number): Map<string, string[]> {
  const kept = new Map<string, string[]>()
  for (const agent of agents(count)) for (const key of placesOf(agent, 'data', count)) kept.set(text(key), [...kept.get(text(key)) ?? [], agent])
  return kept
}

test('a domain with few agents is kept whole, in two places', () => {
  const kept = spread(SHARD)
  assert.equal(kept.size, 2)
  for (const there of kept.values()) assert.equal(there.length, SHARD)
})

test('of a domain with many agents nobody keeps all, and all are kept', () => {
  const count = 5_000
  const kept = spread(count)
  for (const [key, there] of kept) assert.ok(there.length < 2 * SHARD, `${key} keeps ${there.length}`)
  const deepest = shardsAt('data', levelOf(count))
  assert.deepEqual(new Set(deepest.flatMap(([first = new Uint8Array()]) => kept.get(text(first)) ?? [])), new Set(agents(count)))
})

test('at the top of a large domain there is a sample of it', () => {
  const [[top = new Uint8Array()] = []] = shardsAt('data', 0)
  const { length } = spread(5_000).get(text(top)) ?? []
  assert.ok(length > SHARD / 2, `${length}`)
})
