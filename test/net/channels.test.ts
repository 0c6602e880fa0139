import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startNode } from './support.ts'

const list = { adverts: [] }

test('two nodes exchange a request and its reply', async t => {
  const a = await startNode(t)
  const b = await startNode(t)
  b.net.handle('advert.query', query => b.envelope('advert.list', list, { causationId: query.messageId }))
  const reply = await a.net.wire.request(b.net.peerId, a.envelope('advert.query', { limit: 3 }), { addresses: b.address() })
  assert.equal(reply.type, 'advert.list')
  assert.equal(reply.from, b.signer.agentId)
  assert.deepEqual(a.net.speakers(b.net.peerId).map(speaker => speaker.agentId), [b.signer.agentId])
})
