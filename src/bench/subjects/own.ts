/** Two nodes of a2a-node as anybody gets them, an agent on each, over their open channel. */
import { join } from 'node:path'
import type { Agent } from '../../index.ts'
import { windowed } from '../load.ts'
import { silent } from '../silent.ts'
import type { Scene, Subject } from '../subject.ts'

/** Messages told at once before waiting for the transport. */
const WINDOW = 1_024

export const own: Subject = {
  id: 'a2a-node',
  title: 'a2a-node',
  over: 'TCP, Noise, yamux, one channel',
  packages: [],

  serve: async scene => {
    const agent = await start('server', scene)
    agent.onRequest('bench.echo', body => body)
    agent.onRequest('bench.sink', () => { scene.arrived() })
    return { address: { id: agent.id, addresses: agent.node.addresses() }, [Symbol.asyncDispose]: () => agent[Symbol.asyncDispose]() }
  },

  connect: async ({ id, addresses }: { id: string, addresses: string[] }, scene) => {
    const agent = await start('client', scene, addresses)
    await agent.node.joined()
    return {
      request: async payload => (await agent.request<Uint8Array>(id, 'bench.echo', payload)).length,
      ...windowed(payload => agent.tell(id, 'bench.sink', payload), WINDOW),
      [Symbol.asyncDispose]: () => agent[Symbol.asyncDispose]()
    }
  }
}

async function start (name: string, { folder }: Scene, bootstrap: string[] = []): Promise<Agent> {
  const { createAgent } = await import('../../index.ts')
  return await createAgent({ name, home: join(folder, name), rendezvous: join(folder, 'rendezvous'), listen: ['/ip4/127.0.0.1/tcp/0'], mdns: false, bootstrap, logger: silent })
}
