import assert from 'node:assert/strict'
import { test } from 'node:test'
import { folder, startNode, until } from './support.ts'
import type { Net } from '../../src/net/net.ts'

const NODES = Number(process.env.SWARM_NODES ?? 30)
const TOPIC = 'a2a/data'

/** Whether each can be reached from the first, from peer to peer. */
function isOneNet (nets: Net[]): boolean {
  const of = new Map(nets.map(net => [net.peerId, net]))
  const reached = new Set(nets.slice(0, 1).map(net => net.peerId))
  for (const peerId of reached) for (const { peerId: next } of of.get(peerId)?.peers() ?? []) reached.add(next)
  return reached.size === nets.length
}

test(`${NODES} nodes of one user meet by their folder alone, and gossip reaches them all`, { timeout: 60_000 }, async t => {
  const begun = performance.now()
  const rendezvous = folder()
  const nodes = await Promise.all(Array.from({ length: NODES }, () => startNode(t, { rendezvous })))
  const heard = new Map<string, Set<string>>()
  for (const { net } of nodes) {
    net.handle('advert', ({ from }) => {
      heard.set(from, (heard.get(from) ?? new Set()).add(net.peerId))
      return undefined
    })
    net.gossip.join(TOPIC)
  }
  await Promise.all(nodes.map(({ net }) => net.joined(30_000)))
  await until(() => nodes.every(({ net }) => net.peers().length > 0), 'somebody for everybody', 30_000)
  const met = performance.now()
  // Gossip is told again for some seconds only: what is said before all hang together never comes to the rest.
  await until(() => isOneNet(nodes.map(({ net }) => net)), 'one net of all', 30_000)
  await until(() => nodes.every(({ net }) => (net.gossip.topics()[0]?.subscribers ?? 0) >= net.peers().length), 'the subscriptions', 10_000)
  for (const node of nodes.slice(0, 5)) {
    await node.net.gossip.publish(TOPIC, node.envelope('advert', { agent_id: node.signer.agentId, sequence: 1, capabilities: [], protocols: [], peer_id: node.net.peerId, endpoints: [], load: 0, ttl: 60 }))
  }
  await until(() => nodes.slice(0, 5).every(({ signer }) => heard.get(signer.agentId)?.size === NODES - 1), 'each advert, everywhere', 30_000)
  const peers = nodes.map(({ net }) => net.peers().length).sort((a, b) => a - b)
  t.diagnostic(`met after ${Math.round(met - begun)} ms, all heard after ${Math.round(performance.now() - begun)} ms; peers ${peers[0]} to ${peers.at(-1)}; ${Math.round(process.memoryUsage().rss / 1e6)} MB`)
  assert.ok(performance.now() - begun < 40_000)
  const end = performance.now()
  await Promise.all(nodes.map(node => node.stop()))
  t.diagnostic(`all stopped after ${Math.round(performance.now() - end)} ms`)
})
