/** Many agents on one node, or many nodes in one process, doing nothing: for what each of them takes. */
import { join } from 'node:path'
import { silent } from '../silent.ts'
import type { Actor } from '../messages.ts'
import type { Node } from '../../index.ts'

export async function crowd ({ folder, nodes, agents }: { folder: string, nodes: number, agents: number }): Promise<Actor> {
  const started: Node[] = []
  if (nodes > 0) {
    const { createNode } = await import('../../index.ts')
    for (let i = 0; i < nodes; i++) {
      const node = await createNode({ name: 'agent-0', home: join(folder, `${nodes}-${agents}-${i}`), rendezvous: join(folder, 'nobody', String(i)), listen: ['/ip4/127.0.0.1/tcp/0'], mdns: false, logger: silent })
      started.push(node)
      for (let j = 1; j < agents; j++) await node.createAgent({ name: `agent-${j}` })
      for (const [j, agent] of node.agents.entries()) await agent.provide(`crowd.member.m${j}`, { description: 'One of many.', run: input => input })
    }
  }
  return { close: async () => { for (const node of started) await node[Symbol.asyncDispose]() } }
}
