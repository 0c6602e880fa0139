import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Envelope } from '../../src/core/envelope.ts'
import { startNode, until, type TestNode } from './support.ts'

const TOPIC = 'a2a/data'
const advertOf = ({ signer, net, envelope }: TestNode, sequence = 1): Envelope =>
  envelope('advert', { agent_id: signer.agentId, sequence, capabilities: [], protocols: [], peer_id: net.peerId, endpoints: [], load: 0, ttl: 60 })

async function joined (t: import('node:test').TestContext, count: number): Promise<{ nodes: TestNode[], heard: Array<Array<{ envelope: Envelope, peer: string }>> }> {
  const nodes = await Promise.all(Array.from({ length: count }, () => startNode(t)))
  const heard = nodes.map(({ net }) => {
    const list: Array<{ envelope: Envelope, peer: string }> = []
    net.handle('advert', (envelope, { peer }) => { list.push({ envelope, peer }); return undefined })
    net.gossip.join(TOPIC)
    return list
  })
  // A chain: what the first says reaches the last only if those between pass it on.
  for (const [i, node] of nodes.slice(1).entries()) await node.net.wire.send(nodes[i]?.net.peerId ?? '', node.envelope('ack', {}), { addresses: nodes[i]?.address() })
  await until(() => nodes.every(({ net }, i) => (net.gossip.topics()[0]?.subscribers ?? 0) === (i === 0 || i === count - 1 ? 1 : 2)), 'all subscriptions')
  return { nodes, heard }
}

test('what one publishes is heard by all, as its author\'s', async t => {
  const { nodes, heard } = await joined(t, 3)
  const [first] = nodes
  assert.ok(first)
  const advert = advertOf(first)
  await first.net.gossip.publish(TOPIC, advert)
  await until(() => heard[2]?.length === 1 && heard[1]?.length === 1, 'the advert')
  assert.equal(heard[2]?.[0]?.envelope.messageId, advert.messageId)
  assert.equal(heard[2]?.[0]?.peer, first.net.peerId)
  assert.equal(heard[0]?.length, 0)
})

test('publishing to nobody is no error', async t => {
  const node = await startNode(t)
  await node.net.gossip.publish(TOPIC, advertOf(node))
})

test('the same message said again does not reach the handler again', async t => {
  const { nodes: [first], heard } = await joined(t, 2)
  assert.ok(first)
  const advert = advertOf(first)
  await first.net.gossip.publish(TOPIC, advert)
  await first.net.gossip.publish(TOPIC, advert)
  await first.net.gossip.publish(TOPIC, advertOf(first, 2))
  await until(() => heard[1]?.length === 2, 'two of three')
  assert.deepEqual(heard[1]?.map(({ envelope }) => (envelope.payload as { sequence: number }).sequence), [1, 2])
})

test('what is not signed, not its publisher\'s, or not for gossip reaches no handler', async t => {
  const { nodes: [first, second], heard } = await joined(t, 2)
  assert.ok(first && second)
  const stranger = await startNode(t)
  second.net.handle('task.heartbeat', () => assert.fail('it reached the handler'))
  await first.net.gossip.publish(TOPIC, { ...advertOf(first), auth: undefined })
  await first.net.gossip.publish(TOPIC, advertOf(stranger))
  await first.net.gossip.publish(TOPIC, first.envelope('task.heartbeat', {}))
  await until(() => second.net.refused.SIGNATURE_INVALID === 2 && second.net.refused.MESSAGE_MALFORMED === 1, 'three refusals')
  assert.equal(heard[1]?.length, 0)
})

test('who left a topic hears no more of it', async t => {
  const { nodes: [first, second] } = await joined(t, 2)
  assert.ok(first && second)
  second.net.gossip.leave(TOPIC)
  assert.deepEqual(second.net.gossip.topics(), [])
  await until(() => first.net.gossip.topics()[0]?.subscribers === 0, 'the news')
})
