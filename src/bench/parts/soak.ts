/** A node with several agents that tell and ask those of the other node, each message with a number, and count what comes. */
import { join } from 'node:path'
import { createNode } from '../../index.ts'
import { windowed } from '../load.ts'
import { silent } from '../silent.ts'
import type { Actor } from '../messages.ts'

export interface SoakArgs {
  name: string
  folder: string
  agents: number
  bootstrap?: string[]
}

const BYTES = 300
const WINDOW = 256
/** Every so many messages one is a request, whose answer is checked. */
const REQUEST_EACH = 10

export async function soakNode ({ name, folder, agents, bootstrap }: SoakArgs): Promise<Actor> {
  const node = await createNode({ name: 'agent-0', home: join(folder, name), rendezvous: join(folder, 'rendezvous'), listen: ['/ip4/127.0.0.1/tcp/0'], mdns: false, bootstrap, logger: silent })
  for (let i = 1; i < agents; i++) await node.createAgent({ name: `agent-${i}` })
  const seen = new Map<string, Uint8Array>()
  const counts = { received: 0, doubled: 0, wrong: 0 }
  let sent = 0

  const note = (body: Uint8Array, from: string): number => {
    const number = Buffer.from(body.buffer, body.byteOffset, body.length).readUInt32BE(0)
    let bits = seen.get(from) ?? new Uint8Array(1_024)
    if (number >> 3 >= bits.length) {
      const larger = new Uint8Array(Math.max(bits.length * 2, (number >> 3) + 1))
      larger.set(bits)
      bits = larger
    }
    seen.set(from, bits)
    const bit = 1 << (number & 7)
    if (((bits[number >> 3] ?? 0) & bit) !== 0) counts.doubled++
    else counts.received++
    bits[number >> 3] = (bits[number >> 3] ?? 0) | bit
    if (body.length !== BYTES || body[BYTES - 1] !== (number & 255)) counts.wrong++
    return number
  }
  for (const agent of node.agents) agent.onRequest<Uint8Array>('soak.message', (body, { from }) => note(body, from))

  return {
    address: async () => ({ addresses: node.addresses(), ids: node.agents.map(({ id }) => id) }),
    /** Each agent of ours tells one of the others `messages` messages. */
    run: async ({ to, messages }: { to: string[], messages: number }) => {
      await node.joined()
      await Promise.all(node.agents.map(async (agent, lane) => {
        const peer = to[lane % to.length] ?? ''
        const { tell, flush } = windowed(async body => {
          const number = body.readUInt32BE(0)
          if (number % REQUEST_EACH !== 0) await agent.tell(peer, 'soak.message', body, { timeoutMs: 60_000 })
          else if (await agent.request<number>(peer, 'soak.message', body, { timeoutMs: 60_000 }) !== number) counts.wrong++
        }, WINDOW)
        for (let number = 0; number < messages; number++) {
          const body = Buffer.alloc(BYTES, 7)
          body.writeUInt32BE(number)
          body[BYTES - 1] = number & 255
          sent++
          const full = tell(body)
          if (full !== undefined) await full
        }
        await flush()
      }))
    },
    counts: async () => ({ ...counts, sent }),
    close: async () => { await node[Symbol.asyncDispose]() }
  }
}
