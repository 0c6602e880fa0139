import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startNode, until } from './support.ts'

const key = new TextEncoder().encode('data.revenue.aggregate')

test('who provides is found by one who knows only a third', async t => {
  const hub = await startNode(t)
  const [provider, seeker] = await Promise.all([startNode(t), startNode(t)])
  for (const node of [provider, seeker]) await node.net.wire.send(hub.net.peerId, node.envelope('ack', {}), { addresses: hub.address() })
  await until(() => [provider, seeker].every(({ net }) => net.dht.status().peers > 0), 'the routing tables')
  await provider.net.dht.provide(key, AbortSignal.timeout(5_000))
  for await (const found of seeker.net.dht.providers(key, AbortSignal.timeout(5_000))) {
    assert.equal(found.peer, provider.net.peerId)
    assert.ok(found.addresses.some(address => address.startsWith('/ip4/127.0.0.1/')))
    return
  }
  assert.fail('nobody was found')
})

test('alone, providing and looking end without error', async t => {
  const { net } = await startNode(t)
  await net.dht.provide(key, AbortSignal.timeout(5_000))
  for await (const found of net.dht.providers(new Uint8Array(3), AbortSignal.timeout(5_000))) assert.fail(found.peer)
})
