import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createDht, type DhtParts } from '../../src/net/dht.ts'
import { clock, keepingLogger, startNode, until } from './support.ts'

const key = new TextEncoder().encode('data.revenue.aggregate')

test('who provides is found by one who knows only a third', async t => {
  const hub = await startNode(t)
  const [provider, seeker] = await Promise.all([startNode(t), startNode(t)])
  for (const node of [provider, seeker]) await node.net.wire.send(hub.net.peerId, node.envelope('ack', {}), { addresses: hub.address() })
  await until(() => [provider, seeker].every(({ net }) => net.dht.status().peers > 0), 'the routing tables')
  await provider.net.dht.provide(key)
  for await (const found of seeker.net.dht.providers(key, AbortSignal.timeout(5_000))) {
    assert.equal(found.peer, provider.net.peerId)
    assert.ok(found.addresses.some(address => address.startsWith('/ip4/127.0.0.1/')))
    return
  }
  assert.fail('nobody was found')
})

test('alone, providing and looking end without error', async t => {
  const { net } = await startNode(t)
  await net.dht.provide(key)
  for await (const found of net.dht.providers(new Uint8Array(3), AbortSignal.timeout(5_000))) assert.fail(found.peer)
})

test('of many records put at once none is lost: nobody would say so', async t => {
  const [keeper, provider] = await Promise.all([startNode(t), startNode(t)])
  await provider.net.wire.send(keeper.net.peerId, provider.envelope('ack', {}), { addresses: keeper.address() })
  await until(() => [provider, keeper].every(({ net }) => net.dht.status().peers > 0), 'the routing tables')
  const keys = Array.from({ length: 25 }, (_, n) => Buffer.from(`data.k${n}`))
  await Promise.all(keys.map(each => provider.net.dht.provide(each)))
  const seeker = await startNode(t)
  await seeker.net.wire.send(keeper.net.peerId, seeker.envelope('ack', {}), { addresses: keeper.address() })
  await until(() => seeker.net.dht.status().peers > 0, 'the routing table')
  await Promise.all(keys.map(async each => {
    for await (const found of seeker.net.dht.providers(each, AbortSignal.timeout(10_000))) if (found.peer === provider.net.peerId) return
    assert.fail(`${each.toString()} was lost`)
  }))
})

test('a record is put in one place while the table holds all who would keep it, and in the others when there are more', async t => {
  const put: string[] = []
  const table = { size: 20 }
  const host = { services: { dht: { routingTable: table } }, contentRouting: { provide: async (cid: object) => { put.push(`${cid}`) } } }
  const dht = createDht({ host: host as unknown as DhtParts['host'], keepers: { hasOutsiders: () => true } as DhtParts['keepers'], clock, logger: keepingLogger() })
  t.after(dht.close)
  for (const size of [20, 20, 21]) {
    table.size = size
    await dht.provide(key)
  }
  assert.deepEqual([put.length, new Set(put).size], [3, 3])
  table.size = 39
  await dht.provide(key)
  assert.equal(put.length, 3)
  table.size = 40
  await dht.provide(key)
  assert.equal(put.length, 4, 'what was put where there were 20 is put again where there are twice as many')
})
