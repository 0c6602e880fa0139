/** Connections to peers by their id: one dial for all who wait, and a pause after failures that grows. */
import { peerIdFromString } from '@libp2p/peer-id'
import { multiaddr, type Multiaddr } from '@multiformats/multiaddr'
import { LRUCache } from 'lru-cache'
import type { Connection } from '@libp2p/interface'
import { A2aError, messageOf } from '../core/errors.ts'
import type { Clock } from '../core/ports.ts'
import type { Host } from './libp2p.ts'
import { BACKOFF, CONNECTIONS } from './limits.ts'

export interface Dialer {
  /** @throws A2aError PEER_UNREACHABLE */
  reach: (peer: string, addresses: string[], timeoutMs: number) => Promise<Connection>
  /** Its next dial is not held back. */
  forgive: (peer: string) => void
}

interface Failures {
  count: number
  until: number
  addresses: string
  why: string
}

export function createDialer (host: Host, clock: Clock): Dialer {
  const failures = new LRUCache<string, Failures>({ maxSize: BACKOFF.peers, sizeCalculation: () => 1 })

  async function reach (peer: string, addresses: string[], timeoutMs: number): Promise<Connection> {
    const tried = addresses.toSorted().join()
    const before = failures.get(peer)
    if (!isPeerId(peer)) throw unreachable(peer, 'it is no peer id')
    const open = connectionTo(host, peer)
    if (open !== undefined) return open
    // Addresses not tried yet are news: they are worth a try at once.
    if (before !== undefined && clock.now() < before.until && (tried === '' || tried === before.addresses)) {
      throw unreachable(peer, `${before.why} (next try in ${Math.ceil(before.until - clock.now())} ms)`)
    }
    try {
      const connection = await host.dial(targets(peer, addresses), { signal: AbortSignal.timeout(timeoutMs) })
      failures.delete(peer)
      return connection
    } catch (error) {
      const why = reasonOf(error)
      const count = Math.min((before?.count ?? 0) + 1, 16)
      const pause = Math.min(BACKOFF.maxMs, BACKOFF.firstMs * 2 ** (count - 1))
      failures.set(peer, { count, until: clock.now() + pause * (0.5 + Math.random() / 2), addresses: tried, why })
      throw unreachable(peer, why, error)
    }
  }

  return { reach, forgive: peer => { failures.delete(peer) } }
}

/** Peer ids come in messages of others, where they are any text. */
function isPeerId (text: string): boolean {
  try {
    peerIdFromString(text)
    return true
  } catch {
    return false
  }
}

/** An open connection to the peer, if there is one. */
function connectionTo (host: Host, peer: string): Connection | undefined {
  return host.getConnections(peerIdFromString(peer)).find(({ status }) => status === 'open')
}

/** The peer's own addresses among those given; its id alone when there are none, so that what libp2p knows of it is tried. */
function targets (peer: string, addresses: string[]): Multiaddr[] | ReturnType<typeof peerIdFromString> {
  const suffix = `/p2p/${peer}`
  const usable = addresses.slice(0, CONNECTIONS.addresses).flatMap(address => {
    try {
      const parsed = multiaddr(address.includes('/p2p/') ? address : address + suffix)
      return parsed.toString().endsWith(suffix) ? [parsed] : []
    } catch {
      return []
    }
  })
  return usable.length > 0 ? usable : peerIdFromString(peer)
}

function reasonOf (error: unknown): string {
  const first = error instanceof AggregateError && error.errors.length > 0 ? error.errors[0] : error
  if (first instanceof Error && (first.name === 'TimeoutError' || first.name === 'AbortError')) return 'no connection in time'
  return messageOf(first)
}

const unreachable = (peer: string, why: string, cause?: unknown): A2aError => new A2aError({ code: 'PEER_UNREACHABLE', peer, why }, { cause })
