import assert from 'node:assert/strict'
import { it } from 'node:test'
import { parsePattern } from '../../src/core/capability.ts'
import { createIndex, type Advert } from '../../src/discover/agent-index.ts'

const advert = (agentId: string, peerId: string, more: Partial<Advert> = {}): Advert =>
  ({ agentId, peerId, endpoints: [], protocols: [], capabilities: [{ name: 'data.x', version: 1 }], load: 0, sequence: 1, ttlMs: 300_000, bytes: new Uint8Array(500), ...more })
const index = () => createIndex({ now: () => 0, after: () => () => {} })

it('one peer that makes many agents, or tells of many, pushes nobody else out', () => {
  const known = index()
  known.put(advert('me', 'here'), 'local')
  known.put(advert('bob', 'bob'), 'direct')
  for (let i = 0; i < 20_000; i++) known.put(advert(`own-${i}`, 'mal'), 'direct')
  assert.ok(known.size() <= 258, `${known.size()} agents`)
  for (let i = 0; i < 20_000; i++) known.put(advert(`told-${i}`, `peer-${i}`), 'peer', 'mal')
  assert.ok(known.size() <= 6_300, `${known.size()} agents`)
  assert.ok(known.get('bob') !== undefined && known.get('me') !== undefined)
  assert.ok(known.get('own-19999') !== undefined, 'the newest is kept')
})

it('large adverts of one peer are kept up to a bound of bytes', () => {
  const known = index()
  known.put(advert('bob', 'bob'), 'direct')
  for (let i = 0; i < 200; i++) known.put(advert(`own-${i}`, 'mal', { bytes: new Uint8Array(64_000) }), 'direct')
  assert.ok(known.size() < 40)
  assert.ok(known.get('bob') !== undefined)
})

it('when it is full, who told most makes room, and never an agent of this node', () => {
  const known = index()
  known.put(advert('me', 'here'), 'local')
  for (let i = 0; i < 10_050; i++) known.put(advert(`a-${i}`, `peer-${i % 400}`), 'direct')
  assert.ok(known.size() <= 10_000)
  assert.ok(known.get('me') !== undefined)
  assert.equal(known.match(parsePattern('data.*')).length, known.size())
})

it('one that could not be reached is back by its own word, though it has nothing new to say, and not by hearsay', () => {
  const known = index()
  known.put(advert('bob', 'bob'), 'direct')
  known.dropPeer('bob')
  assert.equal(known.put(advert('bob', 'bob'), 'peer', 'eve'), false)
  assert.equal(known.put(advert('bob', 'bob'), 'gossip'), false)
  assert.equal(known.get('bob'), undefined)
  assert.equal(known.put(advert('bob', 'bob'), 'direct'), true)
  assert.ok(known.get('bob') !== undefined)
  assert.equal(known.put(advert('bob', 'bob'), 'direct'), false, 'what is there is no news')
})
