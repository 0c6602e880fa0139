/** How nodes find their first peers: the folder of the user, the bootstrap list, and mDNS. */
import { multiaddr, type Multiaddr } from '@multiformats/multiaddr'
import type { PeerInfo } from '@libp2p/interface'
import { A2aError, messageOf } from '../core/errors.ts'
import type { Clock, Logger } from '../core/ports.ts'
import type { Channels } from './channels.ts'
import type { Host } from './libp2p.ts'
import { CONNECTIONS, DISCOVERY } from './limits.ts'
import { startMdns } from './mdns.ts'
import type { Rendezvous } from './rendezvous.ts'

export interface DiscoveryParts {
  host: Host
  channels: Channels
  /** Learns what a peer speaks that is to stay. */
  introduce: (peer: string) => Promise<void>
  rendezvous: Rendezvous | undefined
  seeds: Multiaddr[]
  mdns: boolean
  clock: Clock
  logger: Logger
}

export interface Discovery {
  /** Lets others find us, and begins to look for them. Resolves when this node can be found. */
  begin: () => Promise<void>
  /** Resolves when those found at the start have been met or have failed, or after `timeoutMs`. */
  joined: (timeoutMs: number) => Promise<void>
  close: () => Promise<void>
}

export function createDiscovery ({ host, channels, introduce, rendezvous, seeds, mdns, clock, logger }: DiscoveryParts): Discovery {
  const self = host.peerId.toString()
  let closed = false
  let joined = false
  let cancel = (): void => {}
  let stopMdns: (() => Promise<void>) | undefined

  async function meetSeed (address: Multiaddr): Promise<boolean> {
    try {
      if (address.toString().endsWith(`/p2p/${self}`)) return true
      const { remotePeer } = await host.dial(address, { signal: AbortSignal.timeout(CONNECTIONS.dialMs) })
      await channels.meet(remotePeer.toString())
      return true
    } catch (error) {
      if (!closed) logger.warn('a bootstrap node could not be reached; trying again', { address: address.toString(), why: messageOf(error) })
      return false
    }
  }

  /** Goes on until one is met, whoever else is there: they may be cut off with us. Begins again when everybody is gone. */
  async function meetSeeds (waitMs: number): Promise<void> {
    if (!joined || channels.all().length === 0) joined = (await Promise.all(seeds.map(meetSeed))).includes(true)
    if (closed || seeds.length === 0) return
    const next = joined ? DISCOVERY.lookMs : Math.min(DISCOVERY.lookMs, waitMs * 2)
    cancel = clock.after(next * (0.5 + Math.random()), () => { void meetSeeds(next) })
  }

  /** Somebody found in the neighbourhood. With enough peers, gossip and the DHT do the rest. */
  function found (peer: string, addresses: string[]): void {
    if (closed || peer === self || channels.get(peer) !== undefined || channels.all().length >= DISCOVERY.enough) return
    channels.meet(peer, addresses).catch((error: unknown) => { logger.debug('a node found nearby could not be met', { peer, why: messageOf(error) }) })
  }

  const searched = Promise.withResolvers<void>()

  async function begin (): Promise<void> {
    try {
      await rendezvous?.appear({
        self,
        addresses: () => host.getMultiaddrs().map(String),
        meet: async (peer, addresses, timeoutMs) => {
          await channels.meet(peer, addresses, timeoutMs)
          void introduce(peer)
        },
        known: peer => channels.get(peer) !== undefined,
        peers: () => channels.all().length
      })
    } catch (error) {
      logger.warn('this node cannot be found through the folder of its user', { why: messageOf(error) })
    }
    if (mdns) beginMdns()
    Promise.all([meetSeeds(DISCOVERY.retryMs), rendezvous?.meetOthers()])
      .catch((error: unknown) => { logger.warn('looking for other nodes failed', { why: messageOf(error) }) })
      .finally(searched.resolve)
  }

  function beginMdns (): void {
    startMdns(host, logger, ({ id, multiaddrs }: PeerInfo) => { found(id.toString(), multiaddrs.map(String)) })
      .then(async stop => {
        stopMdns = stop
        if (closed) await stop()
      }, (error: unknown) => { logger.warn('mDNS does not work here; nodes on the local network are not found by it', { why: messageOf(error) }) })
  }

  return {
    begin,
    async joined (timeoutMs) {
      const late = Promise.withResolvers<void>()
      const stop = clock.after(timeoutMs, late.resolve)
      await Promise.race([searched.promise, late.promise])
      stop()
    },
    async close () {
      closed = true
      cancel()
      await Promise.all([rendezvous?.close(), stopMdns?.()])
    }
  }
}

/** @throws A2aError BAD_USAGE when a bootstrap address is no multiaddr */
export function parseSeed (address: string): Multiaddr {
  try {
    return multiaddr(address)
  } catch (error) {
    throw new A2aError({ code: 'BAD_USAGE', why: `the bootstrap address "${address}" is no multiaddr: ${messageOf(error)}`, hint: 'it looks like /ip4/192.0.2.1/tcp/4001/p2p/12D3Koo…' }, { cause: error })
  }
}
