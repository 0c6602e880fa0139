/** Two nodes of a2a-node as anybody gets them, an agent on each, over their open channel. */
import { randomBytes } from 'node:crypto'
import { open, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { systemClock } from '../../core/clock.ts'
import type { Agent, ContentRef } from '../../index.ts'
import { PIECE } from '../frames.ts'
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
    agent.onRequest('bench.content', async (bytes: number) => await agent.send(await makeFile(join(scene.folder, 'content'), bytes), { name: 'content' }))
    return { address: { id: agent.id, peer: agent.node.peerId, addresses: agent.node.addresses() }, [Symbol.asyncDispose]: () => agent[Symbol.asyncDispose]() }
  },

  connect: async ({ id, addresses }: { id: string, addresses: string[] }, scene) => {
    const agent = await start('client', scene, addresses)
    await agent.node.joined()
    const file = join(scene.folder, 'received')
    let ref: ContentRef | undefined
    return {
      prepare: async bytes => {
        ref = await agent.request<ContentRef>(id, 'bench.content', bytes, { timeoutMs: 120_000 })
      },
      // From a file into a file, and checked; the file goes, since one that is there already might save work.
      fetch: async (bytes, stream) => {
        if (ref === undefined) throw new Error('nothing was made ready')
        if (stream) {
          let got = 0
          for await (const piece of agent.receive(ref, { lend: true })) got += piece.length
          if (got !== bytes) throw new Error(`${got} bytes came, not ${bytes}`)
          return
        }
        await agent.receive(ref, { file })
        const { size } = await stat(file)
        await rm(file)
        if (size !== bytes) throw new Error(`${size} bytes came, not ${bytes}`)
      },
      request: async payload => (await agent.request<Uint8Array>(id, 'bench.echo', payload)).length,
      ...windowed(payload => agent.tell(id, 'bench.sink', payload), WINDOW),
      [Symbol.asyncDispose]: () => agent[Symbol.asyncDispose]()
    }
  },

  // A node without log and agents, for those are no part of a handshake.
  stranger: async ({ peer, addresses }: { peer: string, addresses: string[] }, { folder }) => {
    const [{ createNet }, { didOfPeer }, { compose }] = await Promise.all([import('../../net/create.ts'), import('../../net/hello.ts'), import('../../wire/compose.ts')])
    const { newId } = await import('../../wire/id.ts')
    const net = await createNet({ seed: randomBytes(32), listen: ['/ip4/127.0.0.1/tcp/0'], mdns: false, rendezvous: join(folder, 'rendezvous'), credentials: () => [], clock: systemClock, logger: silent })
    const author = { agentId: didOfPeer(net.peerId) ?? '', newId, now: systemClock.now }
    return {
      reach: () => net.wire.request(peer, compose('ping', {}, author, { correlationId: newId() }), { addresses }),
      [Symbol.asyncDispose]: () => Promise.resolve(net[Symbol.asyncDispose]())
    }
  }
}

/** Random, so that nothing on the way makes it smaller. */
async function makeFile (file: string, bytes: number): Promise<string> {
  const handle = await open(file, 'w', 0o600)
  try {
    for (let left = bytes; left > 0; left -= PIECE) await handle.write(randomBytes(Math.min(left, PIECE)))
  } finally {
    await handle.close()
  }
  return file
}

async function start (name: string, { folder }: Scene, bootstrap: string[] = []): Promise<Agent> {
  const { createAgent } = await import('../../index.ts')
  return await createAgent({ name, home: join(folder, name), rendezvous: join(folder, 'rendezvous'), listen: ['/ip4/127.0.0.1/tcp/0'], mdns: false, bootstrap, logger: silent })
}
