/** One who publishes signed adverts, and many nodes that hear and check each. Without logs and agents: only the network of a node. */
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { systemClock } from '../../core/clock.ts'
import { createSigner } from '../../identity/signer.ts'
import { createNet } from '../../net/create.ts'
import { compose, type Author } from '../../wire/compose.ts'
import { signEnvelope } from '../../wire/envelope.ts'
import { newId } from '../../wire/id.ts'
import { spreadOf } from '../load.ts'
import { silent } from '../silent.ts'
import type { Net } from '../../net/net.ts'
import type { Actor } from '../messages.ts'

const TOPIC = '/a2a-node/1/domain/bench'
/** Told in a burst of so many ms, as the smallest timer worth trusting. */
const BEAT_MS = 50
const MESH_MS = 20_000

const listening = async (folder: string): Promise<{ net: Net, author: Author, signer: ReturnType<typeof createSigner> }> => {
  let credential: Uint8Array | undefined
  const net = await createNet({
    seed: randomBytes(32), listen: ['/ip4/127.0.0.1/tcp/0'], mdns: false, rendezvous: join(folder, 'rendezvous'),
    credentials: () => credential === undefined ? [] : [credential], clock: systemClock, logger: silent
  })
  const signer = createSigner({ root: generateKeyPairSync('ed25519').privateKey, peerId: net.peerId, clock: systemClock })
  credential = signer.credential()
  net.gossip.join(TOPIC)
  return { net, signer, author: { agentId: signer.agentId, newId, now: systemClock.now } }
}

export async function gossipSpeaker ({ folder }: { folder: string }): Promise<Actor> {
  const { net, author, signer } = await listening(folder)
  let sequence = 0
  return {
    address: async () => ({ peer: net.peerId, addresses: net.addresses() }),
    /** Resolves when so many listen. */
    heardBy: async (count: number) => {
      const until = performance.now() + MESH_MS
      while ((net.gossip.topics()[0]?.subscribers ?? 0) < count) {
        if (performance.now() > until) throw new Error('not all subscriptions came')
        await wait(BEAT_MS)
      }
    },
    /** At `perSecond`, for so long; gives how many. Each tells when it was said. */
    speak: async ({ perSecond, ms }: { perSecond: number, ms: number }) => {
      const begun = performance.now()
      let said = 0
      for (let at = 0; at < ms; at = performance.now() - begun) {
        for (; said < at / 1_000 * perSecond; said++) {
          const envelope = compose('advert', { agent_id: author.agentId, name: 'speaker', sequence: ++sequence, load: 0, ttl: 60, protocols: [], peer_id: net.peerId, endpoints: [], capabilities: [] }, author, { correlationId: String(process.hrtime.bigint()) })
          await net.gossip.publish(TOPIC, signEnvelope(envelope, signer))
        }
        await wait(BEAT_MS)
      }
      return said
    },
    close: async () => { await net[Symbol.asyncDispose]() }
  }
}

export async function gossipHearers ({ folder, count, to: { peer, addresses } }: { folder: string, count: number, to: { peer: string, addresses: string[] } }): Promise<Actor> {
  const nets: Net[] = []
  let took: number[] = []
  for (let i = 0; i < count; i++) {
    const { net, author } = await listening(folder)
    nets.push(net)
    net.handle('advert', ({ correlationId }) => {
      took.push(Number(process.hrtime.bigint() - BigInt(correlationId)) / 1e6)
      return undefined
    })
    await net.wire.request(peer, compose('ping', {}, author, { correlationId: newId() }), { addresses })
  }
  return {
    /** Resolves when nothing has come for so long. */
    quiet: async (ms: number) => {
      const until = performance.now() + MESH_MS
      for (let before = -1; before !== took.length && performance.now() < until;) {
        before = took.length
        await wait(ms)
      }
    },
    /** What was heard since the last time it was asked. */
    heard: async () => {
      const heard = { count: took.length, ...spreadOf(took) }
      took = []
      return heard
    },
    close: async () => { for (const net of nets) await net[Symbol.asyncDispose]() }
  }
}
