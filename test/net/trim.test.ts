import assert from 'node:assert/strict'
import { setImmediate as turn } from 'node:timers/promises'
import { test } from 'node:test'
import { manualClock } from '../identity/support.ts'
import { startNode, until } from './support.ts'

test('beyond sixteen peers a node closes what it opened and does not use, with a farewell; what is wanted stays', { timeout: 60_000 }, async t => {
  const clock = manualClock(Date.now())
  const hub = await startNode(t, { clock })
  const leaves = await Promise.all(Array.from({ length: 20 }, () => startNode(t)))
  const ends: Array<{ peer: string, parted?: boolean }> = []
  for (const { net } of leaves) net.onPeer(({ type, peer, parted }) => { if (type === 'closed') ends.push({ peer, parted }) })
  for (const { net, address } of leaves) await hub.net.wire.send(net.peerId, hub.envelope('ack', {}), { addresses: address() })
  await until(() => hub.net.peers().length === leaves.length, 'all greetings')
  const wanted = leaves.slice(0, 4).map(({ net }) => net.peerId)
  hub.net.dht.want('test', wanted)
  for (let i = 0; i < 60 && ends.length < 4; i++) {
    clock.advance(1_000)
    await turn()
  }
  await until(() => ends.length === 4 && hub.net.peers().length === 16, 'four farewells')
  assert.ok(ends.every(({ peer, parted }) => peer === hub.net.peerId && parted === true), JSON.stringify(ends))
  assert.ok(wanted.every(peer => hub.net.peers().some(({ peerId }) => peerId === peer)))
})

test('a peer that ends without a farewell has not parted', async t => {
  const [a, b] = await Promise.all([startNode(t), startNode(t)])
  await a.net.wire.send(b.net.peerId, a.envelope('ack', {}), { addresses: b.address() })
  await until(() => b.net.peers().length === 1, 'the greeting')
  const ended = new Promise<boolean | undefined>(resolve => { b.net.onPeer(({ type, parted }) => { if (type === 'closed') resolve(parted) }) })
  await a.stop()
  assert.notEqual(await ended, true)
})
