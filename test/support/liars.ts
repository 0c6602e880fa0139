/**
 * A process full of nodes whose keys were ground close to where a capability's provider records are: servers of Kademlia that keep
 * nothing, name only each other, and say they know nobody. They call whoever calls them.
 *
 *   parent → { seeds, victims }    → parent: the addresses of all here
 *   parent → { conspirators }      → parent: 'ready', when all victims are met
 */
import { peerIdFromString } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import { clock } from '../net/support.ts'
import { createChannels } from '../../src/net/channels.ts'
import { didOfPeer, nodeEnvelope } from '../../src/net/hello.ts'
import { createHost, type Host } from '../../src/net/libp2p.ts'
import { createReplies } from '../../src/net/replies.ts'
import { createRouter, errorOf } from '../../src/net/router.ts'
import { createUserProof } from '../../src/net/user-key.ts'

export type ToLiars = { seeds: string[], victims: string[] } | { conspirators: string[] }
export type FromLiars = { addresses: string[] } | 'ready'

/** Liars named in one answer: as many as end a query of Kademlia. */
const NAMED = 20
const silent = { debug () {}, info () {}, warn () {}, error () {} }

interface Told { id: Uint8Array, multiaddrs: Uint8Array[] }
interface Question { type: string, key?: Uint8Array }
/** SingleKadDHT of @libp2p/kad-dht: who answers which message. */
interface Kademlia { rpc: { handlers: Record<string, { handle: (from: unknown, message: Question) => Promise<object | undefined> }> } }

let conspiracy: Told[] = []

async function lie (seed: Uint8Array, number: number): Promise<{ host: Host, meet: (peer: string, addresses: string[]) => Promise<void> }> {
  const host = await createHost(seed, ['/ip4/127.0.0.1/tcp/0'], { isServer: true }, () => 0)
  const { handlers } = (host.services.dht as unknown as Kademlia).rpc
  const others = (): Told[] => Array.from({ length: Math.min(NAMED, conspiracy.length) }, (_, i) => conspiracy[(number * 7 + i) % conspiracy.length] as Told)
  handlers.ADD_PROVIDER = { handle: async () => undefined }
  handlers.FIND_NODE = { handle: async (_, { type }) => ({ type, closer: others(), providers: [] }) }
  // One half knows nobody, the other half names its own.
  handlers.GET_PROVIDERS = { handle: async (_, { type, key }) => ({ type, key, closer: others(), providers: number % 2 === 0 ? [] : others() }) }

  const self = host.peerId.toString()
  const selfDid = didOfPeer(self) ?? ''
  const router = createRouter({ self: selfDid, clock, logger: silent, count () {}, onLateReply () {} })
  router.handle('advert', () => undefined)
  router.handle('advert.survey', query => nodeEnvelope(selfDid, 'advert.digest', { agents: 0, domains: [] }, query, clock.now()))
  for (const question of ['advert.query', 'advert.sync'] as const) router.handle(question, query => nodeEnvelope(selfDid, 'advert.list', { adverts: [] }, query, clock.now()))
  const channels = await createChannels(host, { self, selfDid, credentials: () => [], userProof: createUserProof(undefined), router, replies: createReplies(errorOf, clock), clock, wall: clock, logger: silent, count () {} })
  host.addEventListener('connection:open', ({ detail: { remotePeer } }) => { channels.meet(remotePeer.toString()).catch(() => {}) })
  return { host, meet: channels.meet }
}

const liars: Array<Awaited<ReturnType<typeof lie>>> = []
let victims: string[] = []

process.on('message', (message: ToLiars) => {
  void (async () => {
    if ('seeds' in message) {
      ({ victims } = message)
      for (const [i, seed] of message.seeds.entries()) liars.push(await lie(Buffer.from(seed, 'hex'), i))
      process.send?.({ addresses: liars.map(({ host }) => host.getMultiaddrs()[0]?.toString() ?? '') } satisfies FromLiars)
    } else {
      conspiracy = message.conspirators.map(address => ({ id: peerIdFromString(peerOf(address)).toMultihash().bytes, multiaddrs: [multiaddr(address.replace(/\/p2p\/.*/, '')).bytes] }))
      for (const { meet } of liars) await Promise.allSettled(victims.map(address => meet(peerOf(address), [address])))
      process.send?.('ready' satisfies FromLiars)
    }
  })()
})
process.on('disconnect', () => { process.exit() })

const peerOf = (address: string): string => address.split('/p2p/')[1] ?? ''
