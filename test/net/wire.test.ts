import type { TestContext } from 'node:test'
import { wireKeepsItsPromises, type WireEnd } from '../promises/wire.ts'
import { startNode, type TestNode } from './support.ts'

const endOf = ({ net, signer, envelope }: TestNode): WireEnd => ({ wire: net.wire, agentId: signer.agentId, envelope, handle: net.handle })

wireKeepsItsPromises('libp2p', async (t: TestContext) => {
  const [near, far] = await Promise.all([startNode(t), startNode(t)])
  return { near: endOf(near), far: endOf(far), addresses: far.address() }
})

wireKeepsItsPromises('libp2p over WebSocket', async (t: TestContext) => {
  const listen = ['/ip4/127.0.0.1/tcp/0/ws']
  const [near, far] = await Promise.all([startNode(t, { listen }), startNode(t, { listen })])
  return { near: endOf(near), far: endOf(far), addresses: far.address() }
})

wireKeepsItsPromises('local', async (t: TestContext) => {
  const node = endOf(await startNode(t))
  return { near: node, far: node, addresses: [] }
})
