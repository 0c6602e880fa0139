/** Puts the network together: libp2p, channels, gossip, DHT, and the ways nodes find each other. */
import { A2aError } from '../core/errors.ts'
import type { Speaker } from '../core/ports.ts'
import { verifyCredential } from '../identity/credential.ts'
import { createChannels } from './channels.ts'
import { createContacts } from './contacts.ts'
import { createDht } from './dht.ts'
import { createDiscovery, parseSeed } from './discovery.ts'
import { createGossip, createMisdeeds } from './gossip.ts'
import { didOfPeer } from './hello.ts'
import { createIntroductions } from './introduce.ts'
import { createKeepers } from './keepers.ts'
import { createHost, DEFAULT_LISTEN, stopHost } from './libp2p.ts'
import { CONTACTS, KAD, RENDEZVOUS, REUNION } from './limits.ts'
import { createLocalSocket } from './local.ts'
import type { Net, NetOptions } from './net.ts'
import type { Peer } from './peer.ts'
import { openRendezvous } from './rendezvous.ts'
import { createReunion } from './reunion.ts'
import { createReplies } from './replies.ts'
import { createRouter, errorOf } from './router.ts'
import { createStreams } from './streams.ts'
import { trimConnections } from './trim.ts'
import { createUserProof } from './user-key.ts'
import { createWire } from './wire.ts'

/** How long libp2p may take to close its connections well, in ms. */
const STOP_MS = 250

/**
 * A started node that nobody knows of yet: `begin` lets it be found, once its handlers are there.
 * @throws A2aError LISTEN_FAILED; BAD_USAGE when a bootstrap address is no multiaddr
 */
export async function createNet ({ seed, listen = DEFAULT_LISTEN, bootstrap = [], mdns = true, rendezvous: folder, credentials, clock, wall = clock, logger }: NetOptions): Promise<Net> {
  const refused: Record<string, number> = {}
  const count = (code: string): void => { refused[code] = (refused[code] ?? 0) + 1 }
  const seeds = bootstrap.map(parseSeed)
  const misdeeds = createMisdeeds()
  const contacts = createContacts(CONTACTS.max)
  const rendezvous = await openRendezvous(folder, { clock: wall, logger, contacts })
  const host = await createHost(seed, listen, { isServer: (await rendezvous?.count() ?? 0) < KAD.servers }, misdeeds.scoreOf)
  const self = host.peerId.toString()
  const selfDid = didOfPeer(self)
  if (selfDid === undefined) throw new A2aError({ code: 'INTERNAL', why: 'the key of the node is not an Ed25519 key' })
  const userProof = createUserProof(rendezvous?.key)
  const replies = createReplies(errorOf, clock)
  const router = createRouter({ self: selfDid, clock: wall, logger, count, onLateReply: () => { count('NO_REPLY') } })
  const local = rendezvous === undefined ? undefined : createLocalSocket({ folder, self, router, count, clock, wall, logger })
  const channels = await createChannels(host, { self, selfDid, credentials, userProof, router, replies, clock, wall, logger, count })
  /** Our own are looked at with each message to ourselves. */
  const own = new WeakMap<Uint8Array, Speaker>()
  const speakersHere = () => credentials().map(bytes => {
    const known = own.get(bytes)
    if (known !== undefined) return known
    const { agentId, peerId } = verifyCredential(bytes, wall.now())
    own.set(bytes, { agentId, peerId })
    return { agentId, peerId }
  })
  const wire = createWire({ self, channels, local, isNear: contacts.isNear, router, replies, clock, wall, count, speaksHere: agent => agent === selfDid || speakersHere().some(({ agentId }) => agentId === agent) })
  const keepers = createKeepers({ self, clock, channels, contacts, rendezvous })
  const stopTrimming = trimConnections({ host, channels, isWanted: keepers.isWanted, clock, logger })
  const introductions = createIntroductions({ host, isCrowded: () => contacts.near() > RENDEZVOUS.all, isPassing: contacts.isNear, clock, logger })
  const discovery = createDiscovery({ host, channels, introduce: introductions.introduce, rendezvous, seeds, mdns, clock, logger })
  const reunion = createReunion({
    onPeer: channels.onPeer,
    async meet (peer, addresses) {
      channels.forgive(peer)
      await channels.meet(peer, addresses, REUNION.dialMs)
    },
    isDead: async peer => contacts.isNear(peer) && await rendezvous?.addressesOf(peer) === undefined,
    clock,
    logger
  })
  const dht = createDht({ host, keepers, clock, logger })
  const streams = createStreams({ self, host, channels, logger })
  const greeted = (): Peer[] => channels.all().filter(peer => peer.greeted())
  let stopped: Promise<void> | undefined

  async function stop (): Promise<void> {
    stopTrimming()
    reunion.close()
    dht.close()
    introductions.close()
    await discovery.close()
    await local?.close()
    streams.close('the node stops')
    await channels.close('the node stops')
    await stopHost(host, STOP_MS)
  }

  return {
    peerId: self,
    wire,
    addresses: () => host.getMultiaddrs().map(String),
    peers: () => greeted().flatMap(peer => {
      const connections = host.getConnections(peer.peerId)
      const [first] = connections
      return first === undefined
        ? []
        : [{
            peerId: peer.id,
            addresses: connections.map(({ remoteAddr }) => remoteAddr.toString()),
            direction: first.direction,
            rttMs: peer.rttMs(),
            agents: peer.speakers().map(({ agentId }) => agentId),
            sameUser: peer.sameUser(),
            connectedForMs: wall.now() - first.timeline.open
          }]
    }),
    connected: () => greeted().map(({ id }) => id),
    rttMs: peer => channels.get(peer)?.rttMs(),
    handle: router.handle,
    onPeer: channels.onPeer,
    speakers: peer => peer === self ? speakersHere() : channels.get(peer)?.speakers() ?? [],
    seek: reunion.seek,
    sameUser: peer => peer === self || channels.get(peer)?.sameUser() === true,
    greet () { for (const peer of channels.all()) peer.greet() },
    async begin () {
      await local?.listen()
      await discovery.begin()
    },
    joined: (timeoutMs = 1_500) => discovery.joined(timeoutMs),
    streams,
    gossip: createGossip({ host, router, clock, wall, logger, count, misdeeds }),
    dht,
    refused,
    [Symbol.asyncDispose]: () => stopped ??= stop()
  }
}
